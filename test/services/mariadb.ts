import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { available } from './available.ts';
import { fromTemplate } from './template.ts';

const execute = promisify(execFile);
const START_LIMIT_MS = 60_000;

/** Debian keeps servers where an ordinary account does not look. */
const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/** No test cuts the power of a server: one that is killed leaves what it wrote. */
const UNSYNCED = [
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-flush-method=nosync',
  '--innodb-doublewrite=0',
  '--sync-frm=0',
];

/** Whether a MariaDB server can be started here; under REQUIRE=all an error when not. */
export function mariadbAvailable(): boolean {
  if (process.geteuid?.() !== 0) {
    if (process.env.REQUIRE === 'all') throw new Error('a server of the account mysql takes root');
    return false;
  }
  return ['mariadb', 'mariadb-dump', 'mariadb-install-db', 'setpriv'].every(available);
}

/** A MariaDB server of its own, which ends with its data. It lets `root` in without a password. */
export interface MariadbServer extends AsyncDisposable {
  /** The file of its socket. */
  readonly socket: string;
  /** What the client prints of SQL, without column names; `database` null for none. @throws with its stderr */
  sql(database: string | null, text: string): Promise<string>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, over the same data. */
  revive(): Promise<void>;
}

/** Starts a server on a socket of a temporary folder; Debian's own is not touched. */
export async function mariadbServer(...settings: readonly string[]): Promise<MariadbServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-maria-'));
  const [data, socket] = [join(folder, 'data'), join(folder, 's.sock')];
  const env = { ...process.env, PATH };
  await fromTemplate('mariadb', folder, async (made) => {
    await chmod(made, 0o755);
    await execute('chown', ['mysql:mysql', made]);
    const folders = [`--datadir=${join(made, 'data')}`, `--tmpdir=${made}`];
    const more = ['--auth-root-authentication-method=normal', '--skip-test-db'];
    const install = ['--no-defaults', ...folders, '--user=mysql', ...UNSYNCED, ...more];
    await execute('mariadb-install-db', install, { env, cwd: made });
  });
  const account = ['--reuid=mysql', '--regid=mysql', '--init-groups'];
  const small = [...UNSYNCED, '--innodb-buffer-pool-size=32M', '--skip-networking'];
  // A server that starts removes every temporary table of its `tmpdir`, also those of another server that runs.
  const own = [`--datadir=${data}`, `--tmpdir=${folder}`, `--socket=${socket}`, `--pid-file=${folder}/pid`];
  const args = ['--no-defaults', ...own, ...small];
  let said = '';
  function start(): ChildProcess {
    // A test process that is killed takes its server along.
    const words = ['--pdeathsig', 'KILL', ...account, '--', 'mariadbd', ...args, ...settings];
    const child = spawn('setpriv', words, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8000);
    });
    return child;
  }
  let server = start();
  const sql: MariadbServer['sql'] = async (database, text) => {
    const words = ['--no-defaults', `--socket=${socket}`, '--user=root', '--default-character-set=utf8mb4'];
    const chosen = database === null ? [] : [`--database=${database}`];
    const running = execute('mariadb', [...words, '--batch', '--skip-column-names', ...chosen], { maxBuffer: 2 ** 28 });
    running.child.stdin?.on('error', () => undefined); // a client that finds no server ends before it reads
    running.child.stdin?.end(text);
    return (await running).stdout.trimEnd();
  };
  async function answers(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while ((await sql(null, 'select 1').catch(() => '')) !== '1') {
      if (server.exitCode !== null || performance.now() > deadline)
        throw new Error(`mariadbd does not answer: ${said}`);
      await sleep(50);
    }
  }
  await answers();
  return {
    ...{ socket, sql },
    kill: () => ended(server),
    async revive() {
      server = start();
      await answers();
    },
    async [Symbol.asyncDispose]() {
      await ended(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const closed = once(server, 'exit');
  server.kill('SIGKILL');
  await closed;
}
