"""The console's own database: the index of alerts, labels of people, the trail, short links."""
