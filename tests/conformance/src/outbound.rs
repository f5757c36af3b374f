//! Cases of outbound HTTP, against the peer.

use edgekeep_core::port::{
    Again, Outbound as _, OutboundError, OutboundRequest, OutboundResponse, Platform,
};

use crate::bench::{Bench, Outcome, holds, same};

/// Much less than the peer waits, much more than a loopback takes.
const SHORT_MS: u32 = 500;

async fn get<P: Platform>(
    b: &Bench<'_, P>,
    url: &str,
    timeout_ms: u32,
) -> Result<OutboundResponse, OutboundError> {
    let (method, headers, body) = ("GET", Vec::new(), Vec::new());
    let request = OutboundRequest {
        method,
        url: url.to_owned(),
        headers,
        body,
        timeout_ms,
    };
    b.platform.outbound().send(request).await
}

/// An error that came soon, whatever it says.
async fn fails<P: Platform>(b: &Bench<'_, P>, url: &str) -> Outcome {
    let answer = get(b, url, 3_000).await;
    holds(answer.is_err(), || format!("{answer:?} from {url}"))
}

async fn times_out<P: Platform>(b: &Bench<'_, P>, url: &str) -> Outcome {
    let before = b.platform.now();
    let answer = get(b, url, SHORT_MS).await;
    let right = matches!(answer, Err(OutboundError::Timeout));
    holds(right, || format!("{answer:?} instead of a timeout"))?;
    let took = b.platform.now().since(before);
    holds((400..3_000).contains(&took), || {
        format!("it took {took} ms")
    })
}

pub(crate) async fn a_request_arrives_whole<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let body = "line\r\nline\nünï".repeat(1_000);
        let answer = b.ask(method, "/echo?a=1&b=%20", &body).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let wanted =
            format!("{method} /echo?a=1&b=%20\ncontent-type: text/plain\nx-case: yes\n\n{body}");
        same(&answer.status, &200)?;
        holds(text == wanted, || text.chars().take(200).collect())?;
    }
    let answer = b.ask("GET", "/echo", "").await?;
    let wanted = "GET /echo\ncontent-type: text/plain\nx-case: yes\n\n";
    same(&String::from_utf8_lossy(&answer.body).as_ref(), &wanted)
}

pub(crate) async fn any_status_is_an_answer<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    for status in [204, 400, 404, 429, 500, 503] {
        same(
            &b.ask("GET", &format!("/status/{status}"), "").await?.status,
            &status,
        )?;
    }
    Ok(())
}

pub(crate) async fn redirects_are_not_followed<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    for status in [301, 302, 303, 307, 308] {
        same(
            &b.ask("GET", &format!("/status/{status}"), "").await?.status,
            &status,
        )?;
    }
    Ok(())
}

pub(crate) async fn what_is_said_about_another_attempt_is_handed_over<P: Platform>(
    b: &Bench<'_, P>,
) -> Outcome {
    for (path, after, wanted) in [
        ("/busy/7/true", Some(7), Some(true)),
        ("/busy/120/false", Some(120), Some(false)),
        ("/busy/soon/perhaps", None, None),
        ("/status/503", None, None),
    ] {
        let answer = b.ask("GET", path, "").await?;
        same(&answer.status, &503)?;
        same(&answer.again, &Again { after, wanted })?;
    }
    Ok(())
}

pub(crate) async fn a_long_answer_is_cut<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    const MOST: usize = 1_048_576;
    let answer = b.ask("GET", &format!("/bytes/{MOST}"), "").await?;
    same(&answer.body.len(), &MOST)?;
    // Cut off or refused, but never read to its end.
    match b
        .ask("GET", &format!("/bytes/{}", MOST.saturating_mul(3)), "")
        .await
    {
        Ok(answer) => holds(answer.body.len() <= MOST, || {
            format!("{} bytes", answer.body.len())
        }),
        Err(OutboundError::Failed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn silence_is_a_timeout<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    times_out(b, &b.url("/silence")).await
}

pub(crate) async fn a_hanging_body_is_a_timeout<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    times_out(b, &b.url("/hang")).await
}

pub(crate) async fn nobody_listening_is_an_error<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    fails(b, "http://127.0.0.1:1/").await
}

pub(crate) async fn an_unknown_host_is_an_error<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    fails(b, "http://conformance.invalid/").await
}

pub(crate) async fn a_broken_url_is_an_error<P: Platform>(b: &Bench<'_, P>) -> Outcome {
    for url in ["", "nonsense", "http://", "/path", "ftp://127.0.0.1/"] {
        fails(b, url).await?;
    }
    Ok(())
}
