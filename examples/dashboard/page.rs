//! The page: every figure of the report, once as a picture and once as a number.
//!
//! A number stands in a `<data>` element whose value is the read model's own, so that a program can
//! compare the two; what people read beside it is rounded.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
};

use finalmile::{
    Day, Timestamp,
    report::{Bandwidth, Report, SUSPICIOUS_BYTES, SUSPICIOUS_UPLOADS},
};

use crate::chart::{self, Part, text};

const STYLE: &str = include_str!("style.css");
const GB: u64 = 1 << 30;

/// The whole page.
pub(crate) fn page(report: &Report, usage: Option<&Bandwidth>) -> String {
    let at = moment(report.now);
    let sections = [
        uploads(report),
        bytes(report),
        reserved(report),
        thumbnails(report),
        bandwidth(report),
        blocked(report),
        usage.map(gateway).unwrap_or_default(),
        suspicious(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>finalmile: dashboard</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>Dashboard</h1><p>As of {at} UTC. Windows end at this moment.</p></header>\n\
         <main class=\"cards\">\n{}</main>\n\
         <footer>1 GB is 2<sup>30</sup> bytes, or 102,400 credits. Days are those of UTC.</footer>\n</body>\n</html>\n",
        sections.concat()
    )
}

/// A: how the uploads of the last day went.
fn uploads(report: &Report) -> String {
    let found = report.uploads;
    let parts = [
        ("good", "Complete", found.completed),
        ("bad", "Failed", found.failed),
        ("wait", "Pending", found.pending),
    ];
    let whole = parts.iter().map(|(.., amount)| *amount).fold(0, u64::saturating_add);
    let rate = percent(found.success_rate_bp());
    let bars = parts.map(|(colour, label, amount)| {
        let label = format!("{label}: {}", grouped(amount));
        Part { colour, label, amount }
    });
    let description = format!("{rate} of the uploads that ended were complete");
    let legend: String = parts
        .iter()
        .map(|(colour, label, amount)| item(colour, &format!("{label} {}", grouped(*amount))))
        .collect();
    let rows = [
        row(&["Complete"], &[number(found.completed)]),
        row(&["Failed"], &[number(found.failed)]),
        row(&["Pending"], &[number(found.pending)]),
        row(&["Success rate"], &[maybe(found.success_rate_bp(), &rate)]),
    ];
    let body = [
        figure(&rate, "of those that ended were complete"),
        chart::bar(&description, &bars, whole),
        list(&legend),
        figures("Uploads, last 24 hours", &["State", "Uploads"], &rows),
    ];
    section("uploads", "", "Upload success", "Last 24 hours", &body)
}

/// B: how much was uploaded.
fn bytes(report: &Report) -> String {
    let found = report.bytes;
    let (all, week) = (size(found.all_time), size(found.last_7_days));
    let older = found.all_time.saturating_sub(found.last_7_days);
    let part = |colour, label: &str, amount| {
        let label = format!("{label}: {}", size(amount));
        Part { colour, label, amount }
    };
    let parts = [part("main", "Last 7 days", found.last_7_days), part("rest", "Earlier", older)];
    let rows = [
        row(&["All time"], &[data(found.all_time, &all)]),
        row(&["Last 7 days"], &[data(found.last_7_days, &week)]),
    ];
    let legend = [item("main", &format!("Last 7 days {week}")), item("rest", "Earlier")].concat();
    let body = [
        figure(&all, "in complete uploads"),
        chart::bar(&format!("{week} of {all} in the last 7 days"), &parts, found.all_time),
        list(&legend),
        figures("Bytes uploaded", &["Window", "Size"], &rows),
    ];
    section("bytes", "", "Bytes uploaded", "All time", &body)
}

/// C: what is set aside now.
fn reserved(report: &Report) -> String {
    let found = report.reserved;
    let total = credits(found.total.get());
    let average = percent(found.average_bp);
    let share = [Part {
        colour: "main",
        label: format!("{average} of the balance on average"),
        amount: found.average_bp.unwrap_or(0),
    }];
    let rows = [
        row(&["Accounts with reservations"], &[number(found.accounts)]),
        row(&["Reserved in all"], &[data(found.total.get(), &total)]),
        row(&["Average part of the balance"], &[maybe(found.average_bp, &average)]),
    ];
    let accounts = count(found.accounts, "account", "accounts");
    let body = [
        figure(&total, &format!("set aside by {accounts}")),
        chart::bar(&format!("{average} of their balance on average"), &share, 10_000),
        list(&item("main", &format!("{average} of the balance, on average"))),
        figures("Credits reserved", &["Figure", "Value"], &rows),
    ];
    section("reserved", "", "Credits reserved", "Now", &body)
}

/// E: how many shares have a thumbnail.
fn thumbnails(report: &Report) -> String {
    let found = report.thumbnails;
    let coverage = percent(found.coverage_bp());
    let amount = found.shares_with_thumbnail;
    let label = format!("With a thumbnail: {}", grouped(amount));
    let parts = [Part { colour: "good", label, amount }];
    let rows = [
        row(&["Live shares"], &[number(found.total_shares)]),
        row(&["With a thumbnail"], &[number(amount)]),
        row(&["Coverage"], &[maybe(found.coverage_bp(), &coverage)]),
    ];
    let legend = [item("good", "With a thumbnail"), item("rest", "Without")].concat();
    let shares = count(found.total_shares, "live share", "live shares");
    let body = [
        figure(&coverage, &format!("of {shares}")),
        chart::bar(&format!("{coverage} of {shares}"), &parts, found.total_shares),
        list(&legend),
        figures("Thumbnail coverage", &["Figure", "Value"], &rows),
    ];
    section("thumbnails", "", "Thumbnail coverage", "All time", &body)
}

/// F: what was uploaded day by day.
fn bandwidth(report: &Report) -> String {
    let days: BTreeMap<Day, u64> = report.bandwidth.iter().map(|d| (d.day, d.bytes)).collect();
    let today = Day::of(report.now);
    let last = days.keys().copied().fold(today, Day::max);
    let all: Vec<Day> = (today.0 - 30..=last.0).map(Day).collect();
    let columns: Vec<_> = all
        .iter()
        .map(|day| {
            let bytes = days.get(day).copied().unwrap_or(0);
            (format!("{day}: {}", size(bytes)), bytes)
        })
        .collect();
    let greatest = days.values().copied().max().unwrap_or(0);
    let top = chart::top(greatest, unit(greatest).0);
    let rows: Vec<_> = report
        .bandwidth
        .iter()
        .map(|one| row(&[one.day.to_string()], &[data(one.bytes, &size(one.bytes))]))
        .collect();
    let ends = [all[0], all[all.len() / 2], last].map(|day| short(day, false)).concat();
    let description = format!("Bytes uploaded each day, at most {}", size(greatest));
    let body = [
        plot(&chart::columns(&description, &columns, top), top, size, &ends, ""),
        figures("Estimated bandwidth by day", &["Day", "Uploaded"], &rows),
    ];
    let about = "Bytes of complete uploads by day, last 30 days; without what was fetched";
    section("bandwidth", "wide", "Estimated bandwidth", about, &body)
}

/// D: users who had not enough credits.
fn blocked(report: &Report) -> String {
    let today = Day::of(report.now);
    let days: BTreeMap<Day, u64> = report.blocked.iter().map(|d| (d.day, d.users)).collect();
    let last = days.keys().copied().fold(today, Day::max);
    let all: Vec<Day> = (today.0 - 6..=last.0).map(Day).collect();
    let columns: Vec<_> = all
        .iter()
        .map(|day| {
            let users = days.get(day).copied().unwrap_or(0);
            (format!("{day}: {}", count(users, "user", "users")), users)
        })
        .collect();
    let greatest = days.values().copied().max().unwrap_or(0);
    let top = chart::top(greatest, 1);
    let rows: Vec<_> = report
        .blocked
        .iter()
        .map(|one| row(&[one.day.to_string()], &[number(one.users), number(one.refusals)]))
        .collect();
    let labels: String = all.iter().map(|day| short(*day, true)).collect();
    let description = format!("Users blocked each day, at most {}", grouped(greatest));
    let chart = chart::columns(&description, &columns, top);
    let body = [
        plot(&chart, top, grouped, &labels, " each"),
        figures("Storage limit reached by day", &["Day", "Users", "Refusals"], &rows),
    ];
    let about = "Users whose upload was refused for want of credits, last 7 days";
    section("blocked", "wide", "Storage limit reached", about, &body)
}

/// What the gateway says.
fn gateway(usage: &Bandwidth) -> String {
    // Gateways count in powers of ten.
    let decimal = |bytes: u64| {
        format!("{}.{:02} GB", grouped(bytes / 1_000_000_000), bytes / 10_000_000 % 100)
    };
    let (used, plan) = (decimal(usage.used_bytes), decimal(usage.plan_bytes));
    let colour = if usage.is_high { "bad" } else { "main" };
    let parts = [Part { colour, label: used.clone(), amount: usage.used_bytes }];
    let share =
        usage.used_percent.map_or("–".to_owned(), |percent| format!("{} %", grouped(percent)));
    let warning = "<p class=\"warning\"><strong>At least 80 % of the plan is used.</strong> Serve thumbnails, or fetch less.</p>";
    let rows = [
        row(&["Used"], &[data(usage.used_bytes, &used)]),
        row(&["Plan"], &[data(usage.plan_bytes, &plan)]),
    ];
    let body = [
        figure(&share, &format!("{used} of {plan}")),
        chart::bar(&format!("{share} of the plan is used"), &parts, usage.plan_bytes),
        if usage.is_high { warning.to_owned() } else { String::new() },
        figures("Gateway bandwidth", &["Figure", "10^9 bytes"], &rows),
    ];
    section("gateway", "full", "Gateway bandwidth", "As the gateway says, of its plan", &body)
}

/// G: who overdoes it.
fn suspicious(report: &Report) -> String {
    let head = ["User", "Uploads", "Size"];
    let over = |is_over: bool, cell: String| {
        if is_over { format!("<span class=\"over\">{cell}</span>") } else { cell }
    };
    let rows: Vec<_> = report
        .suspicious
        .iter()
        .map(|user| {
            let uploads = over(user.uploads > SUSPICIOUS_UPLOADS, number(user.uploads));
            let size = over(user.bytes > SUSPICIOUS_BYTES, data(user.bytes, &size(user.bytes)));
            row(&[user.account.as_str()], &[uploads, size])
        })
        .collect();
    let body = if rows.is_empty() {
        ["<p class=\"none\">Nobody.</p>".to_owned()]
    } else {
        [format!(
            "<div class=\"open\">{}</div>",
            table("Suspicious users, last hour", &head, &rows)
        )]
    };
    let limit = size(SUSPICIOUS_BYTES);
    let about = format!("More than {SUSPICIOUS_UPLOADS} uploads or {limit} within the last hour");
    section("suspicious", "full", "Suspicious uploads", &about, &body)
}

fn section(id: &str, class: &str, title: &str, about: &str, body: &[String]) -> String {
    let body = body.concat();
    format!(
        "<section id=\"{id}\" class=\"{class}\" aria-labelledby=\"{id}-title\">\
         <h2 id=\"{id}-title\">{title}</h2><p class=\"about\">{about}</p>{body}</section>\n"
    )
}

fn figure(large: &str, small: &str) -> String {
    format!("<p class=\"figure\">{large}<small>{small}</small></p>")
}

/// A chart between its scale and its days.
fn plot(chart: &str, top: u64, say: fn(u64) -> String, days: &str, class: &str) -> String {
    let marks: String = [4, 2, 0].map(|n| format!("<span>{}</span>", say(top / 4 * n))).concat();
    format!(
        "<div class=\"chart\"><div class=\"scale\" aria-hidden=\"true\">{marks}</div>{chart}\
         <div class=\"days{class}\" aria-hidden=\"true\">{days}</div></div>"
    )
}

fn list(items: &str) -> String {
    format!("<ul class=\"legend\">{items}</ul>")
}

fn item(colour: &str, label: &str) -> String {
    format!("<li><i class=\"{colour}\"></i>{label}</li>")
}

/// The table behind a chart.
fn figures(caption: &str, head: &[&str], rows: &[String]) -> String {
    format!("<details><summary>Figures</summary>{}</details>", table(caption, head, rows))
}

fn table(caption: &str, head: &[&str], rows: &[String]) -> String {
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    let rows = rows.concat();
    format!(
        "<div class=\"table\"><table aria-label=\"{caption}\"><thead><tr>{head}</tr></thead>\
         <tbody>{rows}</tbody></table></div>"
    )
}

fn row(names: &[impl AsRef<str>], cells: &[String]) -> String {
    let names = names.iter().map(|name| format!("<th scope=\"row\">{}</th>", named(name.as_ref())));
    let cells = cells.iter().map(|cell| format!("<td>{cell}</td>"));
    format!("<tr>{}</tr>", names.chain(cells).collect::<String>())
}

/// A name that the page's reader did not choose.
fn named(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars() {
        match c {
            // Marks that nobody sees, or that turn the direction, could dress one name up as another.
            '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' => {
                let _ = write!(shown, "<span class=\"mark\">U+{:04X}</span>", u32::from(c));
            }
            other => shown.push_str(&text(other.encode_utf8(&mut [0; 4]))),
        }
    }
    shown
}

/// A figure as programs read it, and as people do.
fn data(value: impl Display, shown: &str) -> String {
    format!("<data value=\"{value}\">{shown}</data>")
}

fn number(value: u64) -> String {
    data(value, &grouped(value))
}

fn maybe(value: Option<u64>, shown: &str) -> String {
    value.map_or(data("", shown), |value| data(value, shown))
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Of ten thousand, in percent.
fn percent(bp: Option<u64>) -> String {
    bp.map_or("–".to_owned(), |bp| format!("{}.{:02} %", bp / 100, bp % 100))
}

/// The largest unit of which there is one.
fn unit(bytes: u64) -> (u64, &'static str) {
    let units = [(GB, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    units.into_iter().find(|(unit, _)| bytes >= *unit).unwrap_or((1, "bytes"))
}

/// `12.34 GB`
fn size(bytes: u64) -> String {
    let (unit, name) = unit(bytes);
    if unit == 1 {
        return format!("{bytes} {name}");
    }
    let hundredths = bytes % unit * 100 / unit;
    if hundredths == 0 && bytes / unit >= 10 {
        return format!("{} {name}", grouped(bytes / unit));
    }
    format!("{}.{hundredths:02} {name}", grouped(bytes / unit))
}

/// Credits as what they can store.
fn credits(credits: i64) -> String {
    let hundredths = u128::from(credits.max(0).cast_unsigned()) * 100 / 102_400;
    let whole = u64::try_from(hundredths / 100).unwrap_or(u64::MAX);
    format!("{}.{:02} GB", grouped(whole), hundredths % 100)
}

/// `22 Nov`, or the day alone.
fn short(day: Day, is_narrow: bool) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, month, number) = day.date();
    let month = MONTHS[usize::try_from(month - 1).unwrap_or_default()];
    let gap = if is_narrow { "<br>" } else { " " };
    format!("<span>{number}{gap}{month}</span>")
}

fn moment(at: Timestamp) -> String {
    let minute = at.micros().div_euclid(60_000_000).rem_euclid(24 * 60);
    format!("{} {:02}:{:02}", Day::of(at), minute / 60, minute % 60)
}
