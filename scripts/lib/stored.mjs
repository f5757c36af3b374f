// Prints everything that a local stack has stored: stored.mjs DIRECTORY
//
// Every file below the directory byte by byte, and of SQLite databases also each row of each table as
// JSON, because long texts are in pieces in the file. The server may be running: databases are copied
// first, with what is still in their journals.

import { copyFileSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const [directory, ...more] = process.argv.slice(2);
if (!directory || more.length > 0) {
  console.error("stored: needs a directory: node scripts/lib/stored.mjs DIRECTORY");
  process.exit(1);
}

function print(data) {
  const bytes = Buffer.from(data);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error; // the reader of the pipe is behind
    }
  }
}

function isDatabase(file) {
  const head = Buffer.alloc(15);
  readSync(openSync(file), head, 0, 15, 0);
  return head.toString("latin1") === "SQLite format 3";
}

/** Every row of every table, one a line. */
function rows(file) {
  const copies = mkdtempSync(join(tmpdir(), "stored-"));
  const copy = join(copies, "copy.sqlite");
  for (const end of ["", "-wal"]) {
    if (existsSync(file + end)) copyFileSync(file + end, copy + end);
  }
  const database = new DatabaseSync(copy);
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  for (const { name } of tables) {
    const statement = database.prepare(`SELECT * FROM "${name.replaceAll('"', '""')}"`);
    statement.setReadBigInts(true);
    for (const row of statement.iterate()) {
      const shown = (_, value) => (typeof value === "bigint" ? Number(value) : value instanceof Uint8Array ? Buffer.from(value).toString() : value);
      print(`${name} ${JSON.stringify(row, shown)}\n`);
    }
  }
  database.close();
  rmSync(copies, { recursive: true });
}

let files = 0;
for (const name of readdirSync(directory, { recursive: true })) {
  const file = join(directory, name);
  // The server's own variables are no data; they hold its secrets.
  if (!statSync(file).isFile() || name === "vars") continue;
  files += 1;
  print(readFileSync(file));
  print("\n");
  if (isDatabase(file)) rows(file);
}
if (files === 0) {
  console.error(`stored: there is nothing in ${directory}`);
  process.exit(1);
}
