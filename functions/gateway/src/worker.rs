//! The Worker.

use core::convert::Infallible;

use edgekeep_core::functions::owner;
use edgekeep_core::http::{Code, Context as Handled, Function, Interrupt, Reply, Route};
use edgekeep_core::port::Platform;
use edgekeep_workers::{Request, Response, forward, path, serve};
use worker::{Context, Env, console_error, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let function = owner(&path(&request));
    match forward(function, &request, &env).await {
        Ok(response) => Ok(response),
        Err(cause) => {
            console_error!(
                "{{\"level\":\"error\",\"event\":\"forward\",\"function\":\"{function}\",\"cause\":{cause:?}}}"
            );
            serve::<Unreachable>(request, env, context).await
        }
    }
}

/// Stands in for a function that gave no answer. The others go on: each is a Worker of its own.
struct Unreachable;

impl Function for Unreachable {
    type Action = Infallible;
    const NAME: &'static str = "gateway";
    const ROUTES: &'static [Route<Infallible>] = &[];
    const ELSEWHERE: Code = Code::Unavailable;

    async fn handle<P: Platform>(
        action: Infallible,
        _: &Handled<'_, P>,
    ) -> Result<Reply, Interrupt> {
        match action {}
    }
}
