'use strict';
// The table that the writers write to.
const { open } = require('litekeel');

const db = open();
db.exec('CREATE TABLE IF NOT EXISTS event(writer TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (writer, n))');
db.close();
