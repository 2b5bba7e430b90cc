//! The bytes of a connection: as they are, or under TLS.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// How clients speak TLS, and whom they trust.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

/// A connection that does not block.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Tls {
    /// Trusts the certificates in the PEM file at `path`, and nobody else, to be `server`.
    ///
    /// # Errors
    ///
    /// If the file can't be read, holds no certificate, or `server` is no name and no address.
    pub fn trusting(path: &Path, server: String) -> io::Result<Self> {
        let wrong = |what: String| io::Error::new(ErrorKind::InvalidData, what);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(pem)? {
            let added = roots.add(certificate.map_err(pem)?);
            added.map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from(server).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            config: Arc::new(config),
            server,
        })
    }
}

fn pem(error: rustls::pki_types::pem::Error) -> io::Error {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error,
        error => io::Error::new(ErrorKind::InvalidData, error.to_string()),
    }
}

impl Stream {
    /// Nothing is sent before there is something to send.
    pub(crate) fn new(tcp: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        let connection = tls
            .map(|tls| ClientConnection::new(tls.config.clone(), tls.server.clone()))
            .transpose()
            .map_err(io::Error::other)?;
        Ok(Self {
            tcp,
            tls: connection.map(Box::new),
        })
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.tcp.take_error()
    }

    /// Sends `bytes` whole, or once TLS has shaken hands.
    ///
    /// What a client sends is short and rare: it always fits into the kernel's buffer.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.tcp.write_all(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                flush(tls, &mut self.tcp)
            }
        }
    }

    /// Reads what there is; 0 is the end.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            flush(tls, &mut self.tcp)?;
        }
    }

    /// Whether a read that leaves room in its buffer has taken all there was, as epoll(7) has it of TCP.
    pub(crate) fn tells_when_drained(&self) -> bool {
        self.tls.is_none()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

fn flush(tls: &mut ClientConnection, tcp: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(tcp)?;
    }
    Ok(())
}
