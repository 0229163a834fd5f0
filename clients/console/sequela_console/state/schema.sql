-- One row for each stored explanation that the console knows. `score` and `base` are those of the first target, before
-- the link. `moment` is when the explained event happened, or else when it was explained. `search` has what an alert is
-- found by, in lower case, each text after a line break: its id, its caller id, the values of its labels.
CREATE TABLE IF NOT EXISTS alert (
  id TEXT PRIMARY KEY,
  created REAL NOT NULL,
  happened REAL,
  moment REAL NOT NULL,
  caller_id TEXT NOT NULL,
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  target TEXT NOT NULL,
  target_label TEXT NOT NULL,
  score REAL NOT NULL,
  base REAL,
  in_unit_interval INTEGER NOT NULL,
  events INTEGER NOT NULL,
  labels TEXT NOT NULL,
  reasons TEXT NOT NULL,
  detailed INTEGER NOT NULL,
  search TEXT NOT NULL,
  decision TEXT
);
CREATE INDEX IF NOT EXISTS alert_created ON alert (created, id);
CREATE INDEX IF NOT EXISTS alert_moment ON alert (moment, id);
CREATE INDEX IF NOT EXISTS alert_score ON alert (score, id);
CREATE INDEX IF NOT EXISTS alert_caller ON alert (caller_id, id);
CREATE INDEX IF NOT EXISTS alert_model ON alert (model, created, id);
CREATE INDEX IF NOT EXISTS alert_decision ON alert (decision, created, id);
CREATE INDEX IF NOT EXISTS alert_search ON alert (search);
CREATE INDEX IF NOT EXISTS alert_undetailed ON alert (created) WHERE detailed = 0;
-- The targets of an alert, also the first one: their scores before the link, and the features among their reasons.
CREATE TABLE IF NOT EXISTS alert_target (
  alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  label TEXT NOT NULL,
  score REAL NOT NULL,
  base REAL,
  reasons TEXT NOT NULL,
  PRIMARY KEY (name, alert)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_target_alert ON alert_target (alert);
CREATE INDEX IF NOT EXISTS alert_target_score ON alert_target (name, score, alert);
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
-- The effects of features and of the older events on a target, as float32. Vectors of the same space can be compared.
CREATE TABLE IF NOT EXISTS alert_effect (
  space TEXT NOT NULL,
  alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  vector BLOB NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (space, alert)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_effect_alert ON alert_effect (alert);
-- Values of the events of some alerts of each model, as float32 (events, features): what other values are compared with.
CREATE TABLE IF NOT EXISTS reference_values (
  model_digest TEXT NOT NULL,
  alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  created REAL NOT NULL,
  cells BLOB NOT NULL,
  PRIMARY KEY (model_digest, alert)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reference_values_alert ON reference_values (alert);
-- What people said of an alert. The latest decision counts. It is the operator's own, so it stays when the alert leaves
-- the index, without its text. So it has a copy of what it is about, as it was when it was said.
CREATE TABLE IF NOT EXISTS verdict (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alert TEXT NOT NULL,
  verdict TEXT NOT NULL,
  note TEXT NOT NULL,
  reason TEXT NOT NULL,
  who TEXT NOT NULL,
  at REAL NOT NULL,
  verified INTEGER NOT NULL DEFAULT 0,
  caller_id TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  model_digest TEXT NOT NULL DEFAULT '',
  target TEXT NOT NULL DEFAULT '',
  score REAL,
  threshold REAL,
  created REAL
);
CREATE INDEX IF NOT EXISTS verdict_alert ON verdict (alert, id);
-- Who did what. Rows are only added.
CREATE TABLE IF NOT EXISTS trail (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alert TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL,
  who TEXT NOT NULL,
  at REAL NOT NULL,
  verified INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS trail_alert ON trail (alert, id);
CREATE TABLE IF NOT EXISTS link (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL,
  state TEXT NOT NULL,
  at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_at ON link (at)
