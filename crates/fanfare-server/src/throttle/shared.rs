//! Shared: failed attempts in Redis, counted by its clock. The rules are those of `local`.

use std::{net::IpAddr, sync::LazyLock, time::Duration};

use redis::{RedisResult, Script};

use super::{FIRST_PAUSE, FORGET, FREE, Key, MAX_PAUSE, keys};
use crate::broker::Broker;

#[derive(Debug)]
pub(super) struct Shared {
    broker: Broker,
}

impl Shared {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker }
    }

    /// Counts an attempt as failed, unless it comes too soon: then it says how much.
    pub(super) async fn begin(
        &self,
        from: IpAddr,
        name: &str,
    ) -> RedisResult<Result<(), Duration>> {
        let [with_name, address] = named(from, name);
        let mut script = BEGIN.prepare_invoke();
        script.key(with_name).key(address);
        script.arg(&FREE[..]);
        script.arg([FIRST_PAUSE, MAX_PAUSE, FORGET].map(millis).as_slice());
        let asked = self
            .broker
            .ask(async |redis| script.invoke_async(redis).await);
        let wait: u64 = asked.await?;
        Ok(match wait {
            0 => Ok(()),
            wait => Err(Duration::from_millis(wait)),
        })
    }

    pub(super) async fn handle_success(&self, from: IpAddr, name: &str) -> RedisResult<()> {
        let [with_name, address] = named(from, name);
        let mut script = SUCCEED.prepare_invoke();
        script.key(with_name).key(address);
        let asked = self
            .broker
            .ask(async |redis| script.invoke_async(redis).await);
        asked.await
    }
}

/// What the counters of an attempt are called. The braces keep them together where Redis is a cluster.
fn named(from: IpAddr, name: &str) -> [String; 2] {
    keys(from, name).map(|(from, name): Key| match name {
        Some(name) => format!("fanfare:failures:{{{from}}}:{name}"),
        None => format!("fanfare:failures:{{{from}}}"),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Gives the milliseconds to wait. Otherwise it counts.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first, longest, forget = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local wait = 0
for i, key in ipairs(KEYS) do
  local failures = redis.call('HMGET', key, 'n', 'last')
  local over = (tonumber(failures[1]) or 0) - ARGV[i]
  if over >= 0 then
    local pause = math.min(first * 2 ^ over, longest)
    wait = math.max(wait, failures[2] + pause - now)
  end
end
if wait > 0 then return math.ceil(wait) end
for _, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'n', 1)
  redis.call('HSET', key, 'last', now)
  redis.call('PEXPIRE', key, forget)
end
return 0
",
    )
});

/// Forgets the failures of the name, and one of the address.
static SUCCEED: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
redis.call('DEL', KEYS[1])
if tonumber(redis.call('HGET', KEYS[2], 'n') or 0) > 0 then
  redis.call('HINCRBY', KEYS[2], 'n', -1)
end
",
    )
});

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fanfare_daemons::Redis;

    use super::*;
    use crate::throttle::Throttle;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    async fn node(redis: &Redis) -> Throttle {
        let url = redis.url().parse().expect("it is one");
        Throttle::new(Some(Broker::connect(&url).await.expect("it runs")))
    }

    #[tokio::test]
    async fn what_failed_on_one_node_has_failed_on_all() {
        let redis = Redis::start().expect("it starts");
        let [a, b] = [node(&redis).await, node(&redis).await];
        for node in [&a, &b, &a, &b, &a] {
            node.begin(HERE, "anna").await.unwrap();
        }
        for node in [&a, &b] {
            let wait = node.begin(HERE, "anna").await.unwrap_err();
            let least = Duration::from_millis(500);
            assert!(least < wait && wait <= FIRST_PAUSE, "{wait:?}");
            node.begin(HERE, "bert").await.unwrap();
            node.begin(THERE, "anna").await.unwrap();
        }
        a.handle_success(HERE, "anna").await;
        b.begin(HERE, "anna").await.unwrap();
    }

    #[tokio::test]
    async fn who_tries_many_names_waits_for_all_of_them() {
        let redis = Redis::start().expect("it starts");
        let [a, b] = [node(&redis).await, node(&redis).await];
        for number in 0..FREE[1] {
            a.begin(HERE, &format!("name {number}")).await.unwrap();
        }
        b.begin(HERE, "anna").await.unwrap_err();
        b.begin(THERE, "anna").await.unwrap();
    }

    #[tokio::test]
    async fn while_redis_is_away_each_node_counts_by_itself() {
        let mut redis = Redis::start().expect("it starts");
        let [a, b] = [node(&redis).await, node(&redis).await];
        redis.pause();
        for _ in 0..FREE[0] {
            a.begin(HERE, "anna").await.unwrap();
        }
        a.begin(HERE, "anna").await.unwrap_err();
        b.begin(HERE, "anna").await.unwrap();
        a.handle_success(HERE, "anna").await;
        a.begin(HERE, "anna").await.unwrap();
    }
}
