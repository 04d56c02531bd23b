//! Who may ask.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Shared;
use super::problem::Problem;

/// Lets a request with the right bearer token through (RFC 6750 §2.1).
pub(super) async fn require_token(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known =
        given.zip(shared.settings.token.as_deref()).is_some_and(|((_, given), token)| same(given.trim(), token));
    if !known {
        let detail = "this needs the header Authorization: Bearer TOKEN with the token of the settings";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
        return Err(problem.with(header::WWW_AUTHENTICATE, "Bearer realm=\"trunkline\"".to_owned()));
    }
    Ok(next.run(request).await)
}

/// Compares in a time that tells neither where the texts differ nor how long the right one is.
fn same(given: &str, token: &str) -> bool {
    !token.is_empty() && Sha256::digest(given).as_slice().ct_eq(Sha256::digest(token).as_slice()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_right() {
        assert!(same("demo-admin", "demo-admin"));
        for (given, token) in [("demo-admi", "demo-admin"), ("", "demo-admin"), ("", "")] {
            assert!(!same(given, token), "{given}");
        }
    }
}
