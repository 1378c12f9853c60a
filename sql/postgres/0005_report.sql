-- The dashboards: what they add up, and the views that do so.

-- Users who were refused an upload for want of credits, by day (days since 1970, UTC).
CREATE TABLE fm_refusal_day (
    day bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    PRIMARY KEY (day, account)
);

CREATE INDEX fm_upload_made ON fm_upload (status, created_at, file_size_bytes, account, id);
CREATE INDEX fm_media_share_bare ON fm_media_share (state, id) WHERE thumbnail_cid IS NULL;

-- Windows end when the statement begins, for only what holds still can be looked up in an index; a
-- gigabyte is 2^30 bytes or 102,400 credits.

-- A: how the uploads of the last 24 hours went.
CREATE VIEW v_upload_success AS
SELECT completed, failed, pending,
       CASE WHEN completed + failed > 0 THEN
           ((completed * 10000 + (completed + failed) / 2) / (completed + failed))::float8 / 100 END AS success_rate_percentage
FROM (
    SELECT count(*) FILTER (WHERE status = 'complete') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'pending') AS pending
    FROM fm_upload
    WHERE status IN ('complete', 'failed', 'pending') AND created_at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 86400000000
) recent;

-- B: how much was uploaded, of all time and in the last 7 days.
CREATE VIEW v_bytes_uploaded AS
SELECT coalesce(sum(file_size_bytes), 0)::float8 / 1073741824.0::float8 AS total_gb_all_time,
       coalesce(sum(file_size_bytes) FILTER (WHERE created_at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 604800000000), 0)::float8
           / 1073741824.0::float8 AS total_gb_last_7_days
FROM fm_upload WHERE status = 'complete';

-- C: what is set aside now. Only accounts with a pending reservation have any.
CREATE VIEW v_credits_reserved AS
SELECT count(*) AS accounts_with_reservations,
       coalesce(sum(reserved), 0)::float8 / 102400.0::float8 AS total_reserved_gb,
       div(sum(div(reserved::numeric * 10000, balance)), nullif(count(*), 0))::float8 / 100 AS avg_reserved_percentage
FROM fm_account
WHERE reserved > 0 AND id IN (SELECT account FROM fm_reservation WHERE state = 'pending');

-- D: users who hit their storage limit, by day, of 7 days with today.
CREATE VIEW v_storage_limit_reached AS
SELECT to_char(to_timestamp(r.day * 86400) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, r.day * 86400000000 AS day_us,
       count(*) AS unique_users_blocked, sum(r.count)::bigint AS refusals
FROM fm_refusal_day r
WHERE r.day > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint / 86400000000 - 7
GROUP BY r.day ORDER BY r.day DESC;

-- E: how many of the feed's shares have a thumbnail.
CREATE VIEW v_thumbnail_coverage AS
WITH shares AS MATERIALIZED (
    SELECT (SELECT count(*) FROM fm_media_share WHERE state = 'live') AS total_shares,
           (SELECT count(*) FROM fm_media_share
            WHERE state = 'live' AND thumbnail_cid IS NULL) AS without
), counted AS MATERIALIZED (
    SELECT total_shares, total_shares - without AS shares_with_thumbnail FROM shares
)
SELECT total_shares, shares_with_thumbnail,
       CASE WHEN total_shares > 0 THEN ((shares_with_thumbnail * 10000 + total_shares / 2)
           / total_shares)::float8 / 100 END AS thumbnail_coverage_percentage
FROM counted;

-- F: what was uploaded, by day, of 30 days: an estimate, without what was fetched.
CREATE VIEW v_bandwidth_daily AS
SELECT to_char(to_timestamp(number * 86400) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, number * 86400000000 AS day_us,
       bytes::float8 / 1073741824.0::float8 AS estimated_gb_uploaded
FROM (
    SELECT created_at / 86400000000 AS number, sum(file_size_bytes) AS bytes FROM fm_upload
    WHERE status = 'complete' AND created_at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 2592000000000
    GROUP BY created_at / 86400000000
) days
ORDER BY number DESC;

-- G: suspicious uploads within the last hour: more than 100, or more than 10 GB.
CREATE VIEW v_suspicious_uploads AS
SELECT account AS user_id, count(*) AS uploads_last_hour,
       sum(file_size_bytes)::float8 / 1073741824.0::float8 AS total_gb_last_hour
FROM fm_upload
WHERE status IN ('complete', 'failed', 'pending') AND created_at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 3600000000
GROUP BY account
HAVING count(*) > 100 OR sum(file_size_bytes) > 10737418240
ORDER BY count(*) DESC, account;
