//! The list of all cases.

use edgekeep_core::port::Platform;

use crate::bench::{Bench, Failure, Outcome};
use crate::database::{self, batches, races, statements, values};
use crate::{key_value, outbound, platform};

macro_rules! cases {
    ($( $module:ident: $( $case:ident )*; )*) => {
        /// The name of every case: `module.behaviour`.
        pub const NAMES: &[&str] =
            &[$( $( concat!(stringify!($module), ".", stringify!($case)) ),* ),*];

        async fn dispatch<P: Platform>(name: &str, bench: &Bench<'_, P>) -> Outcome {
            $( $(
                if name == concat!(stringify!($module), ".", stringify!($case)) {
                    return $module::$case(bench).await;
                }
            )* )*
            Err(Failure(format!("there is no case {name}")))
        }
    };
}

cases! {
    batches:
        a_failure_anywhere_leaves_nothing
        rows_are_visible_to_later_statements
        results_stand_in_order
        columns_stand_in_order
        a_hundred_statements_fit
        an_empty_batch_is_no_error
        a_failed_batch_leaves_a_clean_connection
        a_dropped_batch_leaves_all_or_nothing;
    races:
        guarded_updates_have_one_winner
        inserts_of_one_key_have_one_winner
        upserts_count_exactly
        batches_count_exactly
        opposed_batches_do_not_get_stuck;
    statements:
        returning_gives_rows_in_order
        a_conflict_that_does_nothing_returns_no_row
        an_update_of_nothing_returns_no_row
        a_write_without_returning_gives_no_rows
        a_unique_violation_is_refused
        a_failed_check_is_refused
        a_missing_parent_is_refused
        children_go_with_their_parent
        a_syntax_error_is_refused
        a_missing_table_is_refused
        a_missing_parameter_is_refused
        a_hundred_parameters_fit
        limits_take_parameters
        json_brings_many_rows;
    values:
        integers_beyond_32_bits_come_back
        sums_and_counts_are_integers
        null_and_empty_text_differ
        unicode_comes_back
        a_megabyte_comes_back
        text_sorts_by_bytes
        placeholders_in_values_are_text
        literals_have_their_types;
    key_value:
        a_value_comes_back
        the_last_value_counts
        a_deleted_value_is_gone
        unicode_comes_back
        a_long_key_is_taken
        entries_end
        the_sweep_takes_only_what_has_ended
        counters_count_exactly
        counters_are_apart_from_entries;
    outbound:
        a_request_arrives_whole
        any_status_is_an_answer
        redirects_are_not_followed
        what_is_said_about_another_attempt_is_handed_over
        a_long_answer_is_cut
        silence_is_a_timeout
        a_hanging_body_is_a_timeout
        nobody_listening_is_an_error
        an_unknown_host_is_an_error
        a_broken_url_is_an_error;
    platform:
        random_bytes_differ
        the_clock_is_sane
        sleep_takes_its_time
        the_queue_takes_any_id;
}

/// Makes the tables of the cases. PostgreSQL wants one to do it alone, before others may
/// do it again.
///
/// # Errors
/// The database's own.
pub async fn prepare<P: Platform>(bench: &Bench<'_, P>) -> Outcome {
    database::prepare(bench).await
}

/// Runs the case of that name.
///
/// # Errors
/// What did not hold.
pub async fn run<P: Platform>(name: &str, bench: &Bench<'_, P>) -> Result<(), String> {
    dispatch(name, bench).await.map_err(|failure| failure.0)
}
