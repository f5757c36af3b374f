//! What mails say: each once, as plain text and as HTML.

use crate::app::Ready;
use crate::config::Config;
use crate::crypto::{base64url, digest, from_base64url, hmac_sha256};
use crate::time::Millis;

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The link that confirms an address.
    VerifyEmail,
    /// Somebody registered an address that has an account.
    AccountExists,
    /// The link that sets a new password.
    ResetPassword,
    /// The password is another one now.
    PasswordChanged,
    /// The link by which an address joins an organisation.
    Invitation,
    /// A code that proves a second factor.
    MfaCode,
    /// The link by which the old address agrees to a new one.
    EmailChangeOld,
    /// The link by which the new address proves itself.
    EmailChangeNew,
    /// Somebody wanted an address that has an account.
    EmailChangeTaken,
    /// The account has another address now.
    EmailChanged,
    /// The organisation's trial ends within three days.
    TrialEnding,
    /// The trial ends within a day.
    TrialLastDay,
    /// The trial has ended.
    TrialExpired,
    /// A payment was made.
    PaymentPaid,
    /// Usage has reached a share of the quota.
    QuotaThreshold,
}

impl Template {
    pub(crate) const ALL: &[Self] = &[
        Self::VerifyEmail,
        Self::AccountExists,
        Self::ResetPassword,
        Self::PasswordChanged,
        Self::Invitation,
        Self::MfaCode,
        Self::EmailChangeOld,
        Self::EmailChangeNew,
        Self::EmailChangeTaken,
        Self::EmailChanged,
        Self::TrialEnding,
        Self::TrialLastDay,
        Self::TrialExpired,
        Self::PaymentPaid,
        Self::QuotaThreshold,
    ];

    /// The template of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name)
    }

    /// Its name in the table, in tokens and in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AccountExists => "account_exists",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::Invitation => "invitation",
            Self::MfaCode => "mfa_code",
            Self::EmailChangeOld => "email_change_old",
            Self::EmailChangeNew => "email_change_new",
            Self::EmailChangeTaken => "email_change_taken",
            Self::EmailChanged => "email_changed",
            Self::TrialEnding => "trial_ending",
            Self::TrialLastDay => "trial_last_day",
            Self::TrialExpired => "trial_expired",
            Self::PaymentPaid => "payment_paid",
            Self::QuotaThreshold => "quota_threshold",
        }
    }

    /// The text, as of the time when somebody asked for it; `None` for notices, which nobody
    /// asks for ([`super::notices`]).
    pub(super) fn letter(self, ready: &Ready, token: &str, asked: Millis) -> Option<Letter> {
        let config = &ready.config;
        let when = asked.minute();
        Some(match self {
            Self::VerifyEmail => Letter {
                subject: "Confirm your e-mail address",
                before: format!(
                    "On {when} somebody registered this address, or asked for a new link. If that \
                     was you, open this link within a day to confirm the address:"
                ),
                link: Some(format!(
                    "{}/api/v1/auth/verify?token={token}",
                    config.gateway_url
                )),
                after: "If it was not you, or not at that time, do not open the link: it would \
                        confirm an account with somebody else's password. Links in earlier mails \
                        do not work any more."
                    .to_owned(),
            },
            Self::AccountExists => Letter {
                subject: "You already have an account",
                before: format!(
                    "On {when} somebody, perhaps you, tried to register this address, which has \
                     an account already. Nothing was changed; simply sign in:"
                ),
                link: Some(config.frontend_url.clone()),
                after: "If it was not you, there is nothing to do.".to_owned(),
            },
            Self::ResetPassword => Letter {
                subject: "Set a new password",
                before: format!(
                    "On {when} somebody asked for a new password for this address. If that was \
                     you, open this link within an hour:"
                ),
                link: Some(format!(
                    "{}/reset-password?token={token}",
                    config.frontend_url
                )),
                after: "If it was not you, do not open the link and delete this mail; your \
                        password stays as it is."
                    .to_owned(),
            },
            Self::PasswordChanged => Letter {
                subject: "Your password was changed",
                before: format!(
                    "On {when} the password of your account was changed, and other sessions were \
                     signed out. If that was not you, ask for a new one at once:"
                ),
                link: Some(format!("{}/forgot-password", config.frontend_url)),
                after: "If it was you, there is nothing to do.".to_owned(),
            },
            // Without the organisation's name: it would be a stranger's text in our mail.
            Self::Invitation => Letter {
                subject: "You have been invited to join an organization",
                before: format!(
                    "On {when} somebody invited this address to join their organization. Open this \
                     link within seven days, and sign in or register with this address:"
                ),
                link: Some(format!(
                    "{}/invitations/accept?token={token}",
                    config.frontend_url
                )),
                after: "If you do not know who it is from, ignore this mail: nothing happens \
                        without you. Links in earlier invitations do not work any more."
                    .to_owned(),
            },
            Self::MfaCode => Letter {
                subject: "Your sign-in code",
                before: format!("Your code is {}, asked for on {when}.", code(token)),
                link: None,
                after: "It works once, for ten minutes. Nobody of ours will ever ask you for it. \
                        If it was not you who asked, somebody else knows your password: change it."
                    .to_owned(),
            },
            Self::EmailChangeOld => Letter {
                subject: "Agree to another e-mail address",
                before: format!(
                    "On {when} somebody who signed in to your account asked for another e-mail \
                     address in place of this one. If that was you, open this link within a day; \
                     there is another one in a mail to the new address:"
                ),
                link: Some(confirm_email(config, token)),
                after: "If it was not you, do not open the link: nothing changes without it. \
                        Somebody else knows your password then; change it, which ends the request. \
                        Links in earlier mails do not work any more."
                    .to_owned(),
            },
            Self::EmailChangeNew => Letter {
                subject: "Confirm your new e-mail address",
                before: format!(
                    "On {when} somebody asked to use this address for their account in place of \
                     another. If that was you, open this link within a day, and the one in the \
                     mail to the other address:"
                ),
                link: Some(confirm_email(config, token)),
                after:
                    "If it was not you, ignore this mail: nothing happens without you. Links in \
                        earlier mails do not work any more."
                        .to_owned(),
            },
            Self::EmailChangeTaken => Letter {
                subject: "This address has an account",
                before: format!(
                    "On {when} somebody, perhaps you, asked to use this address for another \
                     account. It has one already, so nothing was changed; simply sign in:"
                ),
                link: Some(config.frontend_url.clone()),
                after: "If it was not you, there is nothing to do. If you want the address for \
                        the other account, close this one first."
                    .to_owned(),
            },
            Self::EmailChanged => Letter {
                subject: "Your e-mail address was changed",
                before: format!(
                    "On {when} the e-mail address of your account was changed, as both addresses \
                     had confirmed. You sign in with the new one from now on; other sessions were \
                     signed out."
                ),
                link: None,
                after: "If that was not you, somebody else reads your mail: secure your mailbox, \
                        and tell whoever runs this service at once."
                    .to_owned(),
            },
            Self::TrialEnding
            | Self::TrialLastDay
            | Self::TrialExpired
            | Self::PaymentPaid
            | Self::QuotaThreshold => return None,
        })
    }
}

fn confirm_email(config: &Config, token: &str) -> String {
    format!("{}/confirm-email?token={token}", config.frontend_url)
}

/// What the token of a new mail is made from. It names the key of the day, so that a mail which is
/// sent after `JWT_REFRESH_SECRET` was rolled still holds the link whose hash was kept.
pub fn nonce(ready: &Ready, id: &str) -> String {
    let name = ready.keys.mail.first().map(key_name).unwrap_or_default();
    format!("{id}.{name}")
}

/// A short name, from which nothing about the key can be learnt.
fn key_name(key: &[u8; 32]) -> String {
    let hash = base64url(&digest(&[b"mail key name", key]));
    hash.chars().take(8).collect()
}

/// The secret part of a mail's link: the same for the same mail, and in no table.
pub fn token(ready: &Ready, template: Template, subject: &str, nonce: &str) -> String {
    let keys = &ready.keys.mail;
    let made_by = nonce.split_once('.').map(|(_, name)| name);
    let key = keys.iter().find(|key| made_by == Some(&key_name(key)));
    let key = key.or(keys.first()).copied().unwrap_or_default();
    let parts = [
        template.name().as_bytes(),
        b"\0",
        subject.as_bytes(),
        b"\0",
        nonce.as_bytes(),
    ];
    base64url(&hmac_sha256(&key, &parts))
}

/// The six digits of a mail that holds a code instead of a link, made from its [`token`].
pub fn code(token: &str) -> String {
    // Of 64 bits, so that every code is as likely to within one part in 10^13.
    let bytes = from_base64url(token).unwrap_or_default();
    let number = bytes
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// A mail's parts, from which both forms are made.
pub(crate) struct Letter {
    pub(super) subject: &'static str,
    pub(super) before: String,
    pub(super) link: Option<String>,
    pub(super) after: String,
}

impl Letter {
    pub(super) fn text(&self) -> String {
        let link = self.link.as_ref().map(|link| format!("{link}\n\n"));
        format!(
            "{}\n\n{}{}\n",
            self.before,
            link.unwrap_or_default(),
            self.after
        )
    }

    /// No images, no styles, nothing to load: every mail program shows it.
    pub(super) fn html(&self) -> String {
        let link = self.link.as_deref().map(escaped);
        let link = link.map(|link| format!("<p><a href=\"{link}\">{link}</a></p>\n"));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body>\n<p>{}</p>\n{}<p>{}</p>\n</body>\n</html>\n",
            escaped(self.subject),
            escaped(&self.before),
            link.unwrap_or_default(),
            escaped(&self.after),
        )
    }
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::app::App;

    pub(crate) fn app() -> App {
        let key = |name: &str| match name {
            "ENVIRONMENT" => Some("test".to_owned()),
            "JWT_SECRET" | "JWT_REFRESH_SECRET" | "SERVICE_JWT_SECRET" => {
                Some(format!("{name}-0123456789-abcdefghijklmnop"))
            }
            "FRONTEND_URL" => Some("https://app.test/a=1&b=2".to_owned()),
            _ => None,
        };
        App::new(key)
    }

    /// Rows: U-02
    #[test]
    fn every_mail_has_the_same_words_as_text_and_as_html() {
        let app = app();
        let ready = app.ready().unwrap();
        for &template in Template::ALL {
            let asked = template.letter(ready, "tok-en_1", Millis(1_795_173_420_000));
            // Notices have their own test.
            let Some(letter) = asked else {
                continue;
            };
            let (text, html) = (letter.text(), letter.html());
            for part in [&letter.before, &letter.after] {
                assert!(text.contains(part.as_str()), "{text}");
                assert!(html.contains(&escaped(part)), "{html}");
            }
            assert!(text.contains("2026-11-20 at"), "{text}");
            let Some(link) = letter.link else {
                continue;
            };
            assert!(text.contains(&format!("\n\n{link}\n\n")), "{text}");
            let link = escaped(&link);
            assert!(html.contains(&format!("<a href=\"{link}\">")), "{html}");
            assert!(!html.contains("&b="), "{html}");
        }
    }

    /// Rows: R-10
    #[test]
    fn hostile_text_is_inert_in_a_mail() {
        let hostile = "</p><script>alert(1)</script><img src=x onerror=\"alert(1)\">&";
        let letter = |subject, text: &str| Letter {
            subject,
            before: text.to_owned(),
            link: Some(format!("https://app.test/?x={text}")),
            after: text.to_owned(),
        };
        let html = letter("</title><script>", hostile).html();
        for word in ["<script", "<img", "\"alert", "=\"\""] {
            assert!(!html.contains(word), "{word}: {html}");
        }
        // Every bracket and quotation mark is one of ours.
        let plain = letter("x", "x").html();
        for mark in ['<', '>', '"'] {
            assert_eq!(html.matches(mark).count(), plain.matches(mark).count());
        }
    }

    #[test]
    fn tokens_differ_by_template_subject_and_nonce() {
        let app = app();
        let ready = app.ready().unwrap();
        let base = token(ready, Template::VerifyEmail, "usr_1", "mtk_1");
        assert_eq!(base, token(ready, Template::VerifyEmail, "usr_1", "mtk_1"));
        for other in [
            token(ready, Template::AccountExists, "usr_1", "mtk_1"),
            token(ready, Template::VerifyEmail, "usr_2", "mtk_1"),
            token(ready, Template::VerifyEmail, "usr_1", "mtk_2"),
        ] {
            assert_ne!(base, other);
        }
    }
}
