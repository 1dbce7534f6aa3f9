import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Where the small service of the demonstration lives. */
export interface DemoService {
  /** A tree of about 60 files. */
  readonly files: string;
  /** A SQLite database with a write-ahead log. */
  readonly database: string;
}

/** Bytes that look like nothing in particular and are the same in each run. */
function bytesOf(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++)
    blocks.push(createHash('sha256').update(`${seed} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Makes the service in an existing, empty folder. */
export async function makeService(folder: string): Promise<DemoService> {
  const files = join(folder, 'files');
  await mkdir(join(files, 'uploads', 'empty'), { recursive: true });
  await mkdir(join(files, 'pages'), { recursive: true });
  await writeFile(join(files, 'settings.ini'), 'title = Our wishes\nlanguage = en\n', { mode: 0o600 });
  await writeFile(join(files, '-a name\nwith everything ☂'), 'Names may hold what they like.\n');
  await symlink('settings.ini', join(files, 'settings-link'));
  for (let index = 0; index < 24; index++) {
    const page = `# Page ${index}\n\n${'Nothing is lost that can be taken back. '.repeat(40 * (index + 1))}\n`;
    await writeFile(join(files, 'pages', `page-${index}.md`), page);
    await writeFile(join(files, 'uploads', `photo-${index}.bin`), bytesOf(`photo ${index}`, 4096 * (index + 1)));
  }
  const database = join(folder, 'wishes.db');
  const connection = new DatabaseSync(database);
  connection.exec('PRAGMA journal_mode = WAL; CREATE TABLE wishes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  connection.close();
  const writer = startWriting(database);
  writer.write(2000);
  await writer.stop();
  return { files, database };
}

export interface Writer {
  write(rows: number): void;
  /** How many rows there are once it stopped. */
  stop(): Promise<number>;
}

/** Writes to the database all the time, as a service does that nobody stopped. */
export function startWriting(database: string): Writer {
  const connection = new DatabaseSync(database);
  const insert = connection.prepare('INSERT INTO wishes (body) VALUES (?)');
  const write = (rows: number): void => {
    connection.exec('BEGIN');
    for (let row = 0; row < rows; row++) insert.run(`wish ${Math.random()}`);
    connection.exec('COMMIT');
  };
  const timer = setInterval(() => write(5), 2);
  return {
    write,
    stop: async () => {
      clearInterval(timer);
      const rows = rowsOf(database).length;
      connection.close();
      return rows;
    },
  };
}

/** The bodies in the order in which they were written. */
export function rowsOf(database: string): readonly string[] {
  const connection = new DatabaseSync(database, { readOnly: true });
  try {
    return connection
      .prepare('SELECT body FROM wishes ORDER BY id')
      .all()
      .map(({ body }) => String(body));
  } finally {
    connection.close();
  }
}
