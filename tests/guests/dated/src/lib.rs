//! Marks rows with the batch time: what a host tells of it shows in every row.

use weir_guest::{Record, Timestamp, batch_time};

/// When the row was seen.
#[derive(Record, Debug, PartialEq)]
pub struct Dated {
    /// The batch time.
    pub at: Timestamp,
}

/// Marks every row.
#[weir_guest::map(keep = all)]
pub fn dated(_row: ()) -> Dated {
    Dated { at: batch_time() }
}

#[cfg(test)]
#[test]
fn every_row_is_marked_and_stays() -> Result<(), String> {
    #[derive(Record, Debug, PartialEq)]
    struct Row {
        n: i64,
        at: Timestamp,
    }

    #[derive(Record)]
    struct Number {
        n: i64,
    }

    let at = Timestamp::from_millis(2000);
    let answer = weir_guest::testing::transform::<dated>().at(at).run([Number { n: 1 }])?;
    assert_eq!(answer.rows::<Row>()?, [Row { n: 1, at }]);
    Ok(())
}
