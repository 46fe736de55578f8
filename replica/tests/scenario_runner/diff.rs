//! Two texts line by line.

/// Lines only in `old` with a minus, only in `new` with a plus, the others as they are. Texts
/// are short: a table of the longest common tails will do.
pub(crate) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            common[i][j] = if left == right {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < old.len() || j < new.len() {
        let (left, right) = (old.get(i), new.get(j));
        let (mark, line) = match (left, right) {
            (Some(left), Some(right)) if left == right => {
                (i, j) = (i + 1, j + 1);
                (' ', left)
            }
            (Some(left), right) if right.is_none() || common[i + 1][j] >= common[i][j + 1] => {
                i += 1;
                ('-', left)
            }
            (_, right) => {
                j += 1;
                ('+', right.expect("one side has a line left"))
            }
        };
        text.push(mark);
        text += line;
        text.push('\n');
    }
    text
}
