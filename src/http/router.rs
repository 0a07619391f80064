//! Where routes are declared, each once and with all its methods. What else may be asked of a route
//! follows from that, and so does the list of what is served, which the API's document is held against.

use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route};

use super::error::Refusal;
use super::trace;

/// A route as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// As actix writes it: `{name:.+}` is a parameter that may hold slashes.
    pub path: String,
    pub methods: Vec<&'static str>,
}

/// Puts routes into an application, and remembers them.
pub(super) struct Router<'c> {
    config: &'c mut ServiceConfig,
    served: Vec<Served>,
}

/// The methods of a route that one handler takes.
pub(super) struct Verb {
    routes: Vec<(&'static str, Route)>,
}

/// A HEAD is a GET whose body stays here.
pub(super) fn get<F, Args>(handler: F) -> Verb
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let of = |route: Route| route.to(handler.clone());
    Verb {
        routes: vec![("GET", of(web::get())), ("HEAD", of(web::head()))],
    }
}

/// A GET that never ends by itself, so that there is no HEAD of it.
pub(super) fn watch<F, Args>(handler: F) -> Verb
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    one("GET", web::get().to(handler))
}

pub(super) fn post<F, Args>(handler: F) -> Verb
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    one("POST", web::post().to(handler))
}

pub(super) fn put<F, Args>(handler: F) -> Verb
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    one("PUT", web::put().to(handler))
}

pub(super) fn delete<F, Args>(handler: F) -> Verb
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    one("DELETE", web::delete().to(handler))
}

fn one(method: &'static str, route: Route) -> Verb {
    Verb {
        routes: vec![(method, route)],
    }
}

impl<'c> Router<'c> {
    pub(super) fn new(config: &'c mut ServiceConfig) -> Self {
        Self {
            config,
            served: Vec::new(),
        }
    }

    /// Serves a path; any other method is told which there are.
    pub(super) fn at<const N: usize>(&mut self, path: &str, verbs: [Verb; N]) -> &mut Self {
        let allowed = allowed(&methods(&verbs));
        let refuse = move |request: HttpRequest| {
            let refused = refused(&request, &allowed);
            async { refused }
        };
        self.or_else(path, verbs, web::to(refuse))
    }

    /// The same where what another method gets is this route's own matter.
    pub(super) fn or_else<const N: usize>(
        &mut self,
        path: &str,
        verbs: [Verb; N],
        otherwise: Route,
    ) -> &mut Self {
        self.served.push(Served {
            path: path.to_owned(),
            methods: methods(&verbs),
        });
        let mut resource = web::resource(path).default_service(otherwise);
        for (_, route) in verbs.into_iter().flat_map(|verb| verb.routes) {
            resource = resource.route(route);
        }
        self.config.service(resource);
        self
    }

    pub(super) fn served(self) -> Vec<Served> {
        self.served
    }
}

fn methods(verbs: &[Verb]) -> Vec<&'static str> {
    let routes = verbs.iter().flat_map(|verb| &verb.routes);
    routes.map(|(method, _)| *method).collect()
}

fn allowed(methods: &[&str]) -> String {
    methods.join(", ")
}

fn refused(request: &HttpRequest, allowed: &str) -> HttpResponse {
    Refusal::Method(allowed.to_owned()).respond(request, &trace(request))
}
