//! How many rows may be rejected: a limit is for rows whose rejection does not end the run.

use super::Findings;
use crate::pipeline::OnReject;
use crate::units::Budget;

/// Checks the limit of a source or operator, which `place` names.
pub(super) fn check(
    [kind, name]: [&str; 2],
    on_reject: OnReject,
    max_rejects: Option<Budget>,
    findings: &mut Findings<'_>,
) {
    if max_rejects.is_some() && on_reject == OnReject::Fail {
        let message = format!(
            "`max_rejects` in [{kind}.{name}] means nothing where the first row that is rejected ends the run: set \
             `on_reject` to \"skip\" or \"dead-letter\", or leave `max_rejects` out"
        );
        findings.at_key(&[kind, name, "max_rejects"], message);
    }
}
