//! The page: one file, with all that it needs in it.

use std::io::{self, Write};

use super::call::Call;
use super::update::{Cursor, Update};

const BEFORE: &str = concat!(
    include_str!("page/head.html"),
    "<style>\n",
    include_str!("page/page.css"),
    "</style>\n",
    include_str!("page/body.html"),
);

const AFTER: &str = concat!(
    "<script>\n\"use strict\";\nconst began = performance.now();\n",
    include_str!("page/data.js"),
    include_str!("page/view.js"),
    include_str!("page/timeline.js"),
    include_str!("page/input.js"),
    include_str!("page/charts.js"),
    include_str!("page/tables.js"),
    include_str!("page/page.js"),
    "</script>\n</body>\n</html>\n",
);

/// A page with a call in it.
pub(super) fn write(call: &Call, title: &str, to: &mut impl Write) -> io::Result<()> {
    to.write_all(BEFORE.as_bytes())?;
    let mut cursor = Cursor::default();
    loop {
        let update = Update::of(call, &mut cursor, title, false);
        to.write_all(b"<script type=\"application/json\" class=\"update\">")?;
        to.write_all(update.to_json().as_bytes())?;
        to.write_all(b"</script>\n")?;
        if !update.more {
            break;
        }
    }
    to.write_all(AFTER.as_bytes())
}

/// A page that asks for its call.
pub(super) fn live() -> String {
    format!("{BEFORE}{AFTER}")
}
