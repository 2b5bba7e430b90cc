//! Guests: a session for each client, where a server lets only people in who have given a name.

use bytes::Bytes;
use fanfare_client::fetch;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use tokio::time::timeout;

use super::{
    Stop,
    args::{Args, Target},
};

/// The cookies that clients come with.
#[derive(Debug)]
pub(super) struct Guests {
    /// As many as clients; none if they come as they are.
    cookies: Vec<HeaderValue>,
}

impl Guests {
    /// Signs a guest in for each client, if that is wanted.
    ///
    /// # Errors
    ///
    /// If the server does not give each of them a cookie.
    pub(super) async fn sign_in(args: &Args, target: &Target) -> Result<Self, Stop> {
        let mut cookies = Vec::new();
        if args.guest {
            let run = run_id();
            for number in 1..=target.n_clients {
                cookies.push(sign_in(target, &format!("check-{run}-{number}")).await?);
            }
        }
        Ok(Self { cookies })
    }

    /// The cookie of client `number`, counted from 1.
    pub(super) fn cookie(&self, number: usize) -> Option<&HeaderValue> {
        self.cookies.get(number - 1)
    }

    /// Gives the names back, on servers that have `POST /logout`.
    pub(super) async fn sign_out(self, target: &Target) {
        for cookie in self.cookies {
            let mut request = form("/logout", "");
            request.headers_mut().insert(header::COOKIE, cookie);
            // A server without it forgets guests in its own time.
            let _ = ask(target, request).await;
        }
    }
}

async fn sign_in(target: &Target, name: &str) -> Result<HeaderValue, Stop> {
    let address = &target.address;
    let answer = ask(target, form("/guest", &format!("username={name}"))).await?;
    let status = answer.status();
    if !status.is_success() && !status.is_redirection() {
        return Err(Stop(format!(
            "{address} did not sign a guest in: POST /guest was answered with {status}"
        )));
    }
    cookies_of(&answer).ok_or_else(|| {
        Stop(format!(
            "{address} did not sign a guest in: POST /guest was answered with {status}, but without a cookie"
        ))
    })
}

/// All that the answer sets, as a browser would send it back.
fn cookies_of<T>(answer: &Response<T>) -> Option<HeaderValue> {
    let set = answer.headers().get_all(header::SET_COOKIE);
    let pairs: Vec<&[u8]> = set
        .iter()
        .filter_map(|cookie| cookie.as_bytes().split(|&byte| byte == b';').next())
        .collect();
    match pairs.is_empty() {
        true => None,
        false => HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok(),
    }
}

fn form(path: &'static str, body: &str) -> Request<Bytes> {
    let mut request = Request::new(body.to_owned().into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(path);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    request
}

/// One request, with a deadline.
///
/// # Errors
///
/// If there is no answer.
pub(super) async fn ask(target: &Target, request: Request<Bytes>) -> Result<Response<Bytes>, Stop> {
    let address = &target.address;
    let path = request.uri().path().to_owned();
    match timeout(target.timeout, fetch(address, request, MAX_ANSWER_BYTES)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Stop(format!(
            "{address} could not be asked for {path}: {error}"
        ))),
        Err(_) => Err(Stop(format!(
            "{address} did not answer a request for {path} within {} s",
            target.timeout.as_secs_f64()
        ))),
    }
}

/// Tells the guests of two runs apart, on servers where a name can be had once.
fn run_id() -> String {
    let mut random = [0; 4];
    getrandom::fill(&mut random).expect("the operating system has random bytes");
    data_encoding::HEXLOWER.encode(&random)
}

/// Programs and pages are far smaller.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
