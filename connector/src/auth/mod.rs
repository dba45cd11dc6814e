//! Signing in: a grant becomes an access token, and a new one when that is over.
//!
//! Key decision: one file a thing, each importing only those before it: `environment` (where one signs in), `jwt`
//! (assertions), `grant` (what one signs in with, and its bytes), `session` (tokens and their renewal), `web` (a person's
//! consent). It does not open a browser, and it never uses the retired SOAP login.

mod environment;
mod grant;
mod jwt;
mod session;
mod web;

pub use environment::Environment;
pub use grant::Grant;
pub use session::{KeepGrant, SignedIn, revoke};
pub use web::WebSignIn;
