//! Masking, RFC 6455 §5.3. Masks and unmasks alike.

/// XORs `payload` with `key`, over and over, eight bytes at a time.
pub(super) fn apply(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, tail) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

/// The key for what follows the first `n` bytes of a payload.
pub(super) fn advance(mut key: [u8; 4], n: usize) -> [u8; 4] {
    key.rotate_left(n % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::{advance, apply};

    /// As the RFC words it.
    fn obvious(payload: &mut [u8], key: [u8; 4]) {
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[i % 4];
        }
    }

    fn bytes(n: usize) -> Vec<u8> {
        (0_u8..=255).cycle().take(n).collect()
    }

    #[test]
    fn the_fast_way_is_the_obvious_one_at_every_length_and_alignment() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for start in 0..8 {
            for end in start..start + 100 {
                let (mut fast, mut slow) = (bytes(end), bytes(end));
                apply(&mut fast[start..], key);
                obvious(&mut slow[start..], key);
                assert_eq!(fast, slow, "bytes {start}..{end}");
            }
        }
    }

    #[test]
    fn a_payload_can_be_masked_in_two_parts_cut_anywhere() {
        let key = [1, 2, 4, 8];
        let mut whole = bytes(40);
        apply(&mut whole, key);
        for cut in 0..=40 {
            let mut parts = bytes(40);
            apply(&mut parts[..cut], key);
            apply(&mut parts[cut..], advance(key, cut));
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }
}
