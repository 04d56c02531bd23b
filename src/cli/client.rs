//! What a command asks of the running floor, by its HTTP interface.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::de::DeserializeOwned;

use super::Exit;
use super::check::report;
use super::floor;
use crate::config::Settings;

/// Which floor is asked.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

/// The same for a list, and how it comes out.
#[derive(Debug, Args)]
pub(super) struct Listed {
    #[command(flatten)]
    pub(super) floor: Asked,
    /// A line of JSON for each
    #[arg(long)]
    pub(super) json: bool,
}

/// How long the floor may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of an order.
pub(super) enum Answer<T> {
    Done(T),
    /// A problem document whose parts are for people.
    Refused(serde_json::Value),
}

/// The way to a running floor.
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    /// The floor of these settings. What is wrong is told.
    pub(super) fn of(config: &Path) -> Result<Self, Exit> {
        Self::by(config, floor::load(config).map_err(|error| report(&error))?.settings)
    }

    /// The same where what else is wrong in the files is for the floor to tell.
    pub(super) fn for_reload(config: &Path) -> Result<Self, Exit> {
        Self::by(config, floor::load_settings(config).map_err(|error| report(&error))?)
    }

    fn by(config: &Path, settings: Settings) -> Result<Self, Exit> {
        let Some(address) = settings.http_listen.first() else {
            eprintln!("{}: http.listen names no address, so the running floor cannot be asked", config.display());
            return Err(Exit::No);
        };
        let Some(token) = &settings.api_token else {
            eprintln!("the environment variable {} is not set: it holds the token of the API", settings.api_token_env);
            return Err(Exit::No);
        };
        // Every address of this machine is reached over loopback.
        let mut address = *address;
        match address.ip() {
            std::net::IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
            std::net::IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let settings = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        let (agent, base) = (settings.build().into(), format!("http://{address}"));
        Ok(Self { agent, base, token: format!("Bearer {}", token.expose()) })
    }

    /// A list or an object.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Exit> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("Authorization", &self.token);
        let body = self.told(request.call())?;
        serde_json::from_str(&body).map_err(|error| {
            eprintln!(
                "{}{path} answers something else than expected ({error}); is it this version's floor?",
                self.base
            );
            Exit::Environment
        })
    }

    pub(super) fn delete(&self, path: &str) -> Result<(), Exit> {
        let request = self.agent.delete(format!("{}{path}", self.base)).header("Authorization", &self.token);
        self.told(request.call()).map(|_| ())
    }

    /// Creates something; gives its description.
    pub(super) fn create(&self, path: &str, body: &serde_json::Value) -> Result<serde_json::Value, Exit> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Authorization", &self.token);
        let body = self.told(request.send(body.to_string()))?;
        serde_json::from_str(&body).map_err(|error| {
            eprintln!("{}{path} answers something else than expected ({error})", self.base);
            Exit::Environment
        })
    }

    /// Something is to be done that gives nothing back.
    pub(super) fn order(&self, path: &str, body: &serde_json::Value) -> Result<(), Exit> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Authorization", &self.token);
        self.told(request.send(body.to_string())).map(|_| ())
    }

    pub(super) fn put(&self, path: &str, body: &serde_json::Value) -> Result<(), Exit> {
        let request = self.agent.put(format!("{}{path}", self.base)).header("Authorization", &self.token);
        self.told(request.send(body.to_string())).map(|_| ())
    }

    /// What comes of an order, its refusal with problems included.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, Exit> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Authorization", &self.token);
        let mut answer = request.send_empty();
        if let Ok(response) = &mut answer
            && response.status() == ureq::http::StatusCode::UNPROCESSABLE_ENTITY
        {
            let body = response.body_mut().read_to_string().unwrap_or_default();
            return Ok(Answer::Refused(serde_json::from_str(&body).unwrap_or_default()));
        }
        let body = self.told(answer)?;
        serde_json::from_str(&body).map(Answer::Done).map_err(|error| {
            eprintln!("{}{path} answers something else than expected ({error})", self.base);
            Exit::Environment
        })
    }

    /// The body of a success; everything else is told.
    fn told(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, Exit> {
        let unreachable = |error: ureq::Error| {
            eprintln!("the floor at {} does not answer: {error}; is it running?", self.base);
            Exit::Environment
        };
        let mut response = answer.map_err(unreachable)?;
        let status = response.status();
        let body = response.body_mut().read_to_string().map_err(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
        let problem: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let detail = problem.and_then(|problem| problem["detail"].as_str().map(str::to_owned));
        eprintln!("{}", detail.unwrap_or_else(|| format!("the floor answers {status}")));
        Err(if status.is_client_error() { Exit::No } else { Exit::Environment })
    }
}
