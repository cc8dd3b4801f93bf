// The operator of stamp-a and stamp-b, which differ in `VERSION` alone.

use weir_guest::Record;

/// Which version saw the row.
#[derive(Record, Debug, PartialEq)]
pub struct Stamp<'a> {
    /// `a` or `b`.
    pub version: &'a str,
}

/// Marks every row.
#[weir_guest::map(keep = all)]
pub fn stamp(_row: ()) -> Stamp<'static> {
    Stamp { version: VERSION }
}

#[cfg(test)]
#[test]
fn every_row_is_stamped_and_stays() -> Result<(), String> {
    #[derive(Record, Debug, PartialEq)]
    struct Row<'a> {
        n: i64,
        version: &'a str,
    }

    let answer = weir_guest::testing::transform::<stamp>().run([Row { n: 1, version: "x" }])?;
    assert_eq!(answer.rows::<Row>()?, [Row { n: 1, version: VERSION }]);
    Ok(())
}
