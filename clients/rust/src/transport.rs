//! One call: bytes out, bytes back, nothing longer than allowed, problems told apart from answers.

use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::{HeaderMap, Response};

use crate::error::{SERVICE_UNAVAILABLE, TOO_MANY_REQUESTS, one_line};
use crate::{Client, ClientError, Problem};

/// The longest answer that is not a list: an entry (32 KiB) and a checkpoint with all the signatures it may
/// have (384 KiB), or a statement with 32 titles (1 KiB each), or a policy file (2 MiB): 4 MiB hold any.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The longest page of a list: 1,000 signatories with 16 names of at most 1,024 escaped bytes and 400 bytes
/// around each are 23 MB; so 24 MiB.
pub const LIST_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The longest problem document.
pub const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// An answer whose status says that it is one.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What a path holds.
pub(crate) enum Found {
    There(Answer),
    /// Status 404, or 410.
    Nothing(ClientError),
}

const NOT_FOUND: u16 = 404;
/// It was there and was taken away, as an erased text.
const GONE: u16 = 410;

impl Client {
    /// Gets what stands at a path.
    pub(crate) fn get(&self, path: &str, bytes_max: usize) -> Result<Answer, ClientError> {
        match self.get_if_there(path, bytes_max)? {
            Found::There(answer) => Ok(answer),
            Found::Nothing(error) => Err(error),
        }
    }

    /// Gets what stands at a path, and tells "nothing there" apart, whoever says so and in what words.
    pub(crate) fn get_if_there(&self, path: &str, bytes_max: usize) -> Result<Found, ClientError> {
        let url = self.address.join(path);
        let answer = read(&url, self.agent.get(&url).call(), bytes_max)?;
        let (status, result) = (answer.status, checked(&url, answer));
        match result {
            Ok(answer) => Ok(Found::There(answer)),
            Err(error) if matches!(status, NOT_FOUND | GONE) => Ok(Found::Nothing(error)),
            Err(error) => Err(error),
        }
    }

    /// Gets the plain text of what also comes as JSON.
    pub(crate) fn get_text(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        let url = self.address.join(path);
        let response = self.agent.get(&url).header("accept", "text/plain").call();
        Ok(checked(&url, read(&url, response, bytes_max)?)?.body)
    }

    /// Gets JSON and reads it into a type.
    pub(crate) fn get_json<A: DeserializeOwned>(
        &self,
        path: &str,
        bytes_max: usize,
    ) -> Result<A, ClientError> {
        json(path, &self.get(path, bytes_max)?)
    }

    /// Sends JSON to a path.
    pub(crate) fn post(&self, path: &str, body: &[u8], bytes_max: usize) -> Result<Answer, ClientError> {
        let url = self.address.join(path);
        let response = self.agent.post(&url).content_type("application/json").send(body);
        checked(&url, read(&url, response, bytes_max)?)
    }
}

/// Reads an answer's body into a type.
pub(crate) fn json<A: DeserializeOwned>(path: &str, answer: &Answer) -> Result<A, ClientError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let media = media_type(&answer.headers).unwrap_or("no content type");
        ClientError::answer(format!("{path}: {} where JSON belongs: {error}", one_line(media)))
    })
}

/// Reads the whole body, whatever the status.
fn read(
    url: &str,
    response: Result<Response<Body>, ureq::Error>,
    bytes_max: usize,
) -> Result<Answer, ClientError> {
    let (parts, mut body) = response.map_err(|error| failed(url, bytes_max, error))?.into_parts();
    let status = parts.status.as_u16();
    let bytes_max = if is_success(status) { bytes_max } else { PROBLEM_BYTES_MAX };
    let body = body.with_config().limit(u64::try_from(bytes_max).unwrap_or(u64::MAX)).read_to_vec();
    let body = body.map_err(|error| failed(url, bytes_max, error))?;
    Ok(Answer { status, headers: parts.headers, body })
}

fn checked(url: &str, answer: Answer) -> Result<Answer, ClientError> {
    if is_success(answer.status) { Ok(answer) } else { Err(refused(url, &answer)) }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Reads a problem document, or says what stands there instead.
fn refused(url: &str, answer: &Answer) -> ClientError {
    let status = answer.status;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if (300..400).contains(&status) {
        let location = one_line(header("location").unwrap_or("nowhere"));
        return ClientError::answer(format!("{url} redirects to {location}; use the address it leads to"));
    }
    let retry_after_seconds = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let media = media_type(&answer.headers);
    if media == Some("application/problem+json")
        && let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body)
    {
        // The status line rules: a document cannot turn a refusal into something to try again.
        return ClientError::Problem(Problem { status, retry_after_seconds, ..problem });
    }
    if matches!(status, SERVICE_UNAVAILABLE | TOO_MANY_REQUESTS) && retry_after_seconds.is_some() {
        // Something in front of the registry, such as a proxy under load.
        return ClientError::Problem(Problem {
            status,
            code: "unavailable".to_owned(),
            title: "the registry is not available".to_owned(),
            detail: format!("{url} is not available at the moment"),
            next: "try again later".to_owned(),
            retry_after_seconds,
        });
    }
    let media = one_line(media.unwrap_or("no content type"));
    ClientError::answer(format!(
        "{url} answered with status {status} and {media}, not with a problem document"
    ))
}

/// The media type of an answer, without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get("content-type")?.to_str().ok()?.split(';').next().map(str::trim)
}

/// Sorts what went wrong on the way.
fn failed(url: &str, bytes_max: usize, error: ureq::Error) -> ClientError {
    match error {
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
            ClientError::TooLarge { url: url.to_owned(), bytes_max }
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            ClientError::Url { url: url.to_owned(), what: "it cannot be read" }
        }
        ureq::Error::Protocol(error) => ClientError::answer(format!("{url} does not speak HTTP: {error}")),
        error => ClientError::Unreachable { url: url.to_owned(), source: error.into_io() },
    }
}
