-- One row for each stored explanation that the console knows.
CREATE TABLE IF NOT EXISTS alert (
  id TEXT PRIMARY KEY,
  created REAL NOT NULL,
  happened REAL,
  caller_id TEXT NOT NULL,
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  target TEXT NOT NULL,
  target_label TEXT NOT NULL,
  score REAL NOT NULL,
  base REAL,
  threshold REAL NOT NULL,
  threshold_source TEXT NOT NULL,
  events INTEGER NOT NULL,
  labels TEXT NOT NULL,
  reasons TEXT NOT NULL,
  effects BLOB,
  seen REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_created ON alert (created, id);
CREATE INDEX IF NOT EXISTS alert_score ON alert (score, id);
CREATE INDEX IF NOT EXISTS alert_caller ON alert (caller_id);
CREATE INDEX IF NOT EXISTS alert_model ON alert (model, created);
-- Labels that callers sent with their requests.
CREATE TABLE IF NOT EXISTS alert_label (
  alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (key, value, alert)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_label_alert ON alert_label (alert);
-- The features among the reasons of an alert.
CREATE TABLE IF NOT EXISTS alert_reason (
  alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  feature TEXT NOT NULL,
  label TEXT NOT NULL,
  PRIMARY KEY (feature, alert)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_reason_alert ON alert_reason (alert);
-- What people said of an alert. All of it is kept, and the latest decision counts.
CREATE TABLE IF NOT EXISTS verdict (
  id INTEGER PRIMARY KEY,
  alert TEXT NOT NULL,
  verdict TEXT NOT NULL,
  note TEXT NOT NULL,
  who TEXT NOT NULL,
  at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS verdict_alert ON verdict (alert, id);
-- Who did what. Rows are only added.
CREATE TABLE IF NOT EXISTS trail (
  id INTEGER PRIMARY KEY,
  alert TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL,
  who TEXT NOT NULL,
  at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS trail_alert ON trail (alert, id);
CREATE TABLE IF NOT EXISTS link (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL,
  state TEXT NOT NULL,
  at REAL NOT NULL
) WITHOUT ROWID
