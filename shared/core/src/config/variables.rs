//! The table of variables.

/// One variable or secret.
#[derive(Debug)]
pub struct Variable {
    /// Name on Workers and natively; Spin takes it in lower case.
    pub name: &'static str,
    /// Kept in the platform's secret store, never in a manifest.
    pub secret: bool,
    /// What holds when it is not set; `None` when it must be set.
    pub default: Option<&'static str>,
    /// What it does, for docs/config.md. What is deployed does not carry it: 2 KB in each function.
    #[cfg(not(target_family = "wasm"))]
    pub purpose: &'static str,
}

const fn secret(
    name: &'static str,
    default: Option<&'static str>,
    purpose: &'static str,
) -> Variable {
    let _ = purpose;
    Variable {
        name,
        secret: true,
        default,
        #[cfg(not(target_family = "wasm"))]
        purpose,
    }
}

const fn plain(name: &'static str, default: &'static str, purpose: &'static str) -> Variable {
    let _ = purpose;
    Variable {
        name,
        secret: false,
        default: Some(default),
        #[cfg(not(target_family = "wasm"))]
        purpose,
    }
}

/// Every variable that [`super::Config::load`] reads.
pub const VARIABLES: &[Variable] = &[
    plain(
        "ENVIRONMENT",
        "production",
        "development, test, staging or production",
    ),
    secret(
        "JWT_SECRET",
        None,
        "access tokens: the Ed25519 key is derived from it; 32 characters or more",
    ),
    secret(
        "JWT_OLD_SECRETS",
        Some(""),
        "former JWT_SECRETs, comma separated, that still verify; as strong as the current one",
    ),
    secret(
        "JWT_REFRESH_OLD_SECRETS",
        Some(""),
        "former JWT_REFRESH_SECRETs, comma separated, whose tokens still work; as strong",
    ),
    secret(
        "SERVICE_JWT_OLD_SECRETS",
        Some(""),
        "former SERVICE_JWT_SECRETs, comma separated, that still verify; as strong",
    ),
    secret(
        "JWT_REFRESH_SECRET",
        None,
        "refresh and mail tokens; 32 characters or more",
    ),
    secret(
        "SERVICE_JWT_SECRET",
        None,
        "service tokens (HS256); 32 characters or more",
    ),
    secret(
        "AUDIT_SECRET",
        None,
        "seals the audit log; 32 characters or more; development may do without",
    ),
    secret(
        "AUDIT_OLD_SECRETS",
        Some(""),
        "former AUDIT_SECRETs, comma separated; kept as long as what they sealed",
    ),
    secret(
        "METRICS_TOKEN",
        Some(""),
        "bearer token for GET /metrics besides service tokens; 32 characters or more; several, comma separated, while one is rolled",
    ),
    plain("JWT_ISSUER", "edgekeep", "iss of tokens"),
    plain("JWT_AUDIENCE", "edgekeep-api", "aud of tokens"),
    plain(
        "GATEWAY_URL",
        "http://127.0.0.1:8787",
        "where this API is reached, links in mails included; https in production",
    ),
    plain(
        "FRONTEND_URL",
        "http://127.0.0.1:8787",
        "where the application is; https in production",
    ),
    plain(
        "CORS_ORIGINS",
        "",
        "exact browser origins that may call, comma separated; https in production, * is refused",
    ),
    plain(
        "TRUSTED_PROXIES",
        "",
        "addresses or networks of your reverse proxies, comma separated: their X-Forwarded-For names the client",
    ),
    plain(
        "FEATURES_DISABLED",
        "",
        "parts that are turned off, comma separated: registration, oauth, api_keys, invitations, jobs, usage",
    ),
    plain(
        "BILLING_ENABLED",
        "false",
        "true turns Stripe on and asks for its secrets",
    ),
    secret(
        "STRIPE_WEBHOOK_SECRET",
        Some(""),
        "whsec_…; several, comma separated, while one is rolled",
    ),
    secret(
        "STRIPE_SECRET_KEY",
        Some(""),
        "sk_…; with it events are only triggers and state is fetched",
    ),
    plain(
        "STRIPE_API_BASE",
        "https://api.stripe.com",
        "another Stripe, for tests only",
    ),
    plain(
        "BILLING_GRACE_DAYS",
        "14",
        "days for which a subscription that is past due keeps its plan, 0 to 90",
    ),
    plain(
        "EMAIL_PROVIDER",
        "development",
        "development (messages are kept), resend, postmark or http",
    ),
    secret(
        "RESEND_API_KEY",
        Some(""),
        "re_…, for EMAIL_PROVIDER=resend",
    ),
    secret(
        "POSTMARK_SERVER_TOKEN",
        Some(""),
        "for EMAIL_PROVIDER=postmark",
    ),
    plain(
        "EMAIL_HTTP_URL",
        "",
        "for EMAIL_PROVIDER=http: where mails are sent as JSON; https in production",
    ),
    secret(
        "EMAIL_HTTP_TOKEN",
        Some(""),
        "the bearer token for EMAIL_HTTP_URL",
    ),
    plain(
        "EMAIL_FROM",
        "Edgekeep <noreply@localhost>",
        "sender of mails; an address of your own domain in production",
    ),
    plain(
        "PASSWORD_BREACH_CHECK",
        "off",
        "on refuses passwords that Have I Been Pwned knows; five digits of a hash leave the system",
    ),
    plain(
        "PASSWORD_BREACH_POLICY",
        "open",
        "when nobody can be asked: open lets the password pass, closed answers 503",
    ),
    plain(
        "HIBP_API_BASE",
        "https://api.pwnedpasswords.com",
        "another range API",
    ),
    secret(
        "OAUTH_PROVIDERS",
        Some(""),
        "sign-in through others: a JSON list (docs/oauth.md)",
    ),
    secret(
        "EXTERNAL_ISSUERS",
        Some(""),
        "issuers whose tokens are exchanged for ours: a JSON list (docs/oauth.md)",
    ),
    plain(
        "SECURITY_CONTACT",
        "",
        "where to report a vulnerability, as mailto:, https: or tel:; without it there is no /.well-known/security.txt",
    ),
    plain("LOG_LEVEL", "info", "debug, info, warn or error"),
    plain(
        "RATE_LIMITS",
        "",
        "requests a minute by policy, such as global=600,write=60:bucket (docs/rate-limiting.md)",
    ),
    plain(
        "SESSION_IDLE_HOURS",
        "168",
        "hours without a refresh after which a session ends, 1 to 720",
    ),
    plain(
        "SESSION_MAX_DAYS",
        "30",
        "days after which a session ends in any case, 1 to 365",
    ),
    plain(
        "TRIAL_DAYS",
        "14",
        "days of the trial that a registration begins, 0 (none) to 365",
    ),
    plain(
        "TRIAL_PLAN",
        "PROFESSIONAL",
        "the plan of trials; where there is no such plan there are no trials",
    ),
    plain(
        "DB_POOL_MAX",
        "16",
        "connections to PostgreSQL of the native server, 1 to 100; Workers and Spin have their own",
    ),
    plain(
        "MAX_BODY_BYTES",
        "1048576",
        "largest request body, 1024 to 10485760",
    ),
    plain(
        "REQUEST_TRACKING",
        "counts",
        "requests as usage: counts (one row for those of an hour that are alike), rows (one for each) or off",
    ),
    plain(
        "TEST_CLOCK",
        "false",
        "true lets tests move the clock; refused in production",
    ),
];
