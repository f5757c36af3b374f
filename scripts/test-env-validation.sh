#!/bin/sh
# Shows how a production environment is judged: scripts/test-env-validation.sh
#
# Runs `edgekeep config` with a sound environment, which it must accept, and then with one wrong thing
# after the other: it must fail, name the variable, and print no value. One line for each case. The
# database is an argument and no variable, so the last cases are for `edgekeep migrate status`.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
usage "$0" "${1-}"

cargo build --quiet -p edgekeep-native --bin edgekeep
tool=$target_dir/debug/edgekeep
output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0

access=$(scripts/secret) refresh=$(scripts/secret) service=$(scripts/secret) former=$(scripts/secret)
audit=$(scripts/secret)
# Stands in every bad value, so that one look shows whether a value was printed.
mark=hunter2

# judge NAME=value...: the sound environment with these instead, and nothing of this shell's.
judge() {
  env -i ENVIRONMENT=production JWT_SECRET="$access" JWT_REFRESH_SECRET="$refresh" SERVICE_JWT_SECRET="$service" \
    AUDIT_SECRET="$audit" GATEWAY_URL=https://api.acme.test FRONTEND_URL=https://app.acme.test \
    EMAIL_PROVIDER=resend RESEND_API_KEY="re_$mark-$former" EMAIL_FROM="Acme <$mark@acme.test>" BILLING_ENABLED=true \
    STRIPE_WEBHOOK_SECRET="whsec_$mark$former" STRIPE_SECRET_KEY="sk_live_$mark$former" "$@" "$tool" config >"$output" 2>&1
}

# report what problem: one line, and the output where there is a problem.
report() {
  if [ -z "$2" ]; then
    printf 'ok      %s\n' "$1"
  else
    printf 'FAILED  %s: %s\n' "$1" "$2"
    sed 's/^/        /' "$output"
    failed=1
  fi
}

# leaks: whether a value stands in the output.
leaks() { grep -qFe "$mark" -e "$access" -e "$refresh" -e "$service" -e "$former" -e "$audit" "$output"; }

# accepts what NAME=value...
accepts() {
  what=$1 problem=
  shift
  judge "$@" || problem='is refused'
  ! grep -Eq '^(problem|warning):' "$output" || problem='has problems'
  ! leaks || problem='shows a value'
  report "accepted: $what" "$problem"
}

# refuses what NAME says NAME=value...: with a line that names NAME and has this in it.
refuses() {
  what=$1 name=$2 says=$3 problem=
  shift 3
  ! judge "$@" || problem='is accepted'
  grep -q "^problem: .*$name.*$says" "$output" || problem="does not tell that $name $says"
  ! leaks || problem='shows a value'
  report "refused:  $what" "$problem"
}

accepts 'a sound environment'
accepts 'billing off, and no Stripe secrets' BILLING_ENABLED=false STRIPE_WEBHOOK_SECRET='' STRIPE_SECRET_KEY=''
accepts 'former secrets' JWT_OLD_SECRETS="$mark-$former,$mark-older-$former" SERVICE_JWT_OLD_SECRETS="$former"
for list in JWT_OLD_SECRETS JWT_REFRESH_OLD_SECRETS SERVICE_JWT_OLD_SECRETS AUDIT_OLD_SECRETS; do
  refuses "$list with a short one" $list 'fewer than 32' $list="$former,$mark"
  refuses "$list with a sample" $list 'sample' $list=changeme-$mark-changeme-changeme-changeme
  refuses "$list with a current one" $list 'must differ' $list="$former,$service"
done
for key in JWT_SECRET JWT_REFRESH_SECRET SERVICE_JWT_SECRET AUDIT_SECRET; do
  refuses "$key missing" $key 'is not set' $key=
  refuses "$key of 31 characters" $key 'fewer than 32' $key=$mark-with-only-31-characters
  refuses "$key a sample value" $key 'sample' $key=changeme-$mark-changeme-changeme-changeme
  refuses "$key one character" $key 'sample' $key=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
done
refuses 'two equal keys' JWT_SECRET 'must differ' JWT_REFRESH_SECRET="$access"
refuses 'two other equal keys' JWT_REFRESH_SECRET 'must differ' SERVICE_JWT_SECRET="$refresh"
refuses 'an unknown environment' ENVIRONMENT 'must be' ENVIRONMENT=prod-$mark
refuses 'billing on, no webhook secret' STRIPE_WEBHOOK_SECRET 'is not set' STRIPE_WEBHOOK_SECRET=
refuses 'a webhook secret that is none' STRIPE_WEBHOOK_SECRET 'whsec_' STRIPE_WEBHOOK_SECRET=$mark
refuses 'a webhook secret with nothing in it' STRIPE_WEBHOOK_SECRET 'whsec_' STRIPE_WEBHOOK_SECRET=whsec_
refuses 'a short webhook secret' STRIPE_WEBHOOK_SECRET 'fewer than 24' STRIPE_WEBHOOK_SECRET=whsec_$mark
refuses 'another Stripe' STRIPE_API_BASE 'must be https://api.stripe.com' STRIPE_API_BASE=https://stripe.$mark.test
refuses 'a Stripe key of test mode' STRIPE_SECRET_KEY 'test mode' STRIPE_SECRET_KEY=sk_test_$mark
refuses 'a restricted key of test mode' STRIPE_SECRET_KEY 'test mode' STRIPE_SECRET_KEY=rk_test_$mark
refuses 'a sample Stripe key' STRIPE_SECRET_KEY 'must be a Stripe key' STRIPE_SECRET_KEY=sk_live_your_${mark}_here
refuses 'BILLING_ENABLED neither true nor false' BILLING_ENABLED 'true or false' BILLING_ENABLED=$mark
for key in GATEWAY_URL FRONTEND_URL; do
  refuses "$key missing" $key 'is not set' $key=
  refuses "$key without https" $key 'must be https' $key=http://$mark.test
  refuses "$key no URL" $key 'must be an http' $key=$mark
done
refuses 'a wildcard origin' CORS_ORIGINS 'exact origins' CORS_ORIGINS='*'
refuses 'an origin with a path' CORS_ORIGINS 'exact origins' CORS_ORIGINS=https://$mark.test/path
refuses 'an origin without https' CORS_ORIGINS 'https' CORS_ORIGINS=http://$mark.test
refuses 'nobody who sends mails' EMAIL_FROM 'domain' EMAIL_FROM=
refuses 'a sender without a domain' EMAIL_FROM 'domain' EMAIL_FROM=$mark@localhost
refuses 'a sample key of the mail provider' RESEND_API_KEY 'whole key' RESEND_API_KEY=re_$mark
refuses 'mails kept instead of sent' EMAIL_PROVIDER 'must name' EMAIL_PROVIDER=development
refuses 'an unknown mail provider' EMAIL_PROVIDER 'must be' EMAIL_PROVIDER=$mark
refuses 'a mail provider without its key' RESEND_API_KEY 'is not set' RESEND_API_KEY=
refuses 'DB_POOL_MAX zero' DB_POOL_MAX '1 to 100' DB_POOL_MAX=0
refuses 'MAX_BODY_BYTES no number' MAX_BODY_BYTES 'whole number' MAX_BODY_BYTES=$mark
refuses 'an unknown log level' LOG_LEVEL 'must be' LOG_LEVEL=$mark
refuses 'an unknown way of tracking' REQUEST_TRACKING 'counts, rows or off' REQUEST_TRACKING=$mark
refuses 'an unknown rate class' RATE_LIMITS 'must be' RATE_LIMITS=$mark=1
refuses 'a rate policy twice' RATE_LIMITS 'must be' RATE_LIMITS=global=1,global=2
refuses 'the test clock' TEST_CLOCK 'must not be true' TEST_CLOCK=true

# no_database what says URL
no_database() {
  problem=
  ! "$tool" migrate status --database "$3" >"$output" 2>&1 || problem='is accepted'
  grep -q "$2" "$output" || problem="does not say '$2'"
  ! leaks || problem='shows the URL'
  report "refused:  $1" "$problem"
}

no_database 'no database' 'database takes sqlite:FILE or postgres' ''
no_database 'an unknown kind of database' 'database takes sqlite:FILE or postgres' "mysql://edgekeep:$mark@127.0.0.1/x"
no_database 'a PostgreSQL that is not there' 'error connecting to server' "postgres://edgekeep:$mark@127.0.0.1:1/x"
exit $failed
