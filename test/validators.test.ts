import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createPlainServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { source as filesSource } from '../src/adapters/sources/files/index.ts';
import { source as sqliteSource } from '../src/adapters/sources/sqlite/index.ts';
import { commandValidator } from '../src/adapters/validators/command/index.ts';
import { httpValidator } from '../src/adapters/validators/http/index.ts';
import { isTrue, sqlValidator } from '../src/adapters/validators/sql/index.ts';
import { tcpValidator } from '../src/adapters/validators/tcp/index.ts';
import { unitValidator } from '../src/adapters/validators/unit/index.ts';
import type { Validator } from '../src/ports/validator.ts';
import { validatorContract } from './contracts/validator.ts';
import { memoryUnit } from './fakes/unit.ts';
import { memoryValidator } from './fakes/validator.ts';
import { available } from './services/available.ts';
import { certificate } from './services/certificate.ts';

const never = (): AbortSignal => new AbortController().signal;
const host = localHost();
const good = { observed: null, good: true, detail: '' };
/** What it says of something that was good before. */
const judged = (validator: Validator) => validator.verdict(good, never());

async function listening(server: Server | ReturnType<typeof createPlainServer>, port = 0): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, '127.0.0.1', resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}
const closed = (server: Server | ReturnType<typeof createPlainServer>): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()));

/** A web server for one test. */
async function web(handler: RequestListener) {
  const server = createServer(handler);
  const port = await listening(server);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await closed(server);
    },
  };
}

validatorContract('in memory', async () => {
  const validator = memoryValidator();
  return {
    validator,
    bad: 'failed',
    makeGood: async () => {
      validator.now = 'good';
    },
    makeBad: async () => {
      validator.now = 'bad';
    },
    blind: async () => {
      validator.now = 'unseen';
    },
    witness: async () => validator.now,
    [Symbol.asyncDispose]: async () => {},
  };
});

validatorContract('unit', async () => {
  const unit = memoryUnit();
  return {
    validator: unitValidator(unit),
    bad: 'failed',
    makeGood: async () => {
      unit.healthNow = 'healthy';
    },
    makeBad: async () => {
      unit.healthNow = 'unhealthy';
    },
    blind: async () => {
      unit.before = () => {
        throw new Error('the manager does not answer');
      };
    },
    witness: async () => [...unit.calls, ...unit.members],
    [Symbol.asyncDispose]: async () => {},
  };
});

validatorContract('http', async () => {
  let status = 200;
  const seen: string[] = [];
  const server = await web(({ method = '' }, response) => {
    seen.push(method);
    response.writeHead(status).end('hello');
  });
  return {
    validator: httpValidator({ http: server.url }, { host }),
    bad: 'failed',
    makeGood: async () => {
      status = 200;
    },
    makeBad: async () => {
      status = 503;
    },
    blind: null,
    witness: async () => seen.filter((method) => method !== 'GET'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});

validatorContract('tcp', async () => {
  let received = 0;
  const make = () =>
    createPlainServer((socket: Socket) => {
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          received += chunk.length;
        });
    });
  let server = make();
  const port = await listening(server);
  return {
    validator: tcpValidator({ tcp: `127.0.0.1:${port}` }, { host }),
    bad: 'failed',
    makeGood: async () => {
      server = make();
      await listening(server, port);
    },
    makeBad: () => closed(server),
    blind: null,
    witness: async () => received,
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await closed(server);
    },
  };
});

validatorContract('command', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-command-'));
  const script = join(folder, 'check');
  const write = (code: number): Promise<void> =>
    writeFile(script, `#!/bin/sh\necho "the queue is long" >&2\nexit ${code}\n`, { mode: 0o755 });
  await write(0);
  return {
    validator: commandValidator({ command: [script] }, { host, environment: {} }),
    bad: 'failed',
    makeGood: () => write(0),
    makeBad: () => write(3),
    blind: () => rm(script),
    witness: async () => (await stat(script)).mtimeMs,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});

/** A database with a table `users`, and whoever writes to it. */
async function database(mode: 'wal' | 'delete') {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sql-'));
  const path = join(folder, 'app.db');
  const writer = new DatabaseSync(path);
  writer.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ada')`);
  const source = sqliteSource('app', { sqlite: path }, host);
  return {
    ...{ folder, path, writer },
    check: (query: string) => sqlValidator({ sql: { source: 'app', query } }, { source: async () => source }),
    async [Symbol.asyncDispose]() {
      if (writer.isOpen) writer.close();
      await rm(folder, { recursive: true });
    },
  };
}

for (const mode of ['wal', 'delete'] as const) {
  validatorContract(`sql on SQLite (${mode})`, async () => {
    const made = await database(mode);
    return {
      validator: await made.check('SELECT count(*) > 0 FROM users'),
      bad: 'failed',
      makeGood: async () => made.writer.exec("INSERT INTO users VALUES ('ada')"),
      makeBad: async () => made.writer.exec('DELETE FROM users'),
      blind: async () => {
        made.writer.close();
        await writeFile(made.path, 'this is no database at all');
      },
      witness: async () => [await readdir(made.folder), made.writer.prepare('SELECT * FROM users').all()],
      [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
    };
  });
}

describe('http', () => {
  test('200 to 399 is good when no status is asked for, and nothing else', async () => {
    let status = 200;
    await using server = await web((_, response) => response.writeHead(status, { location: '/else' }).end());
    const check = httpValidator({ http: server.url }, { host });
    const outcomes: string[] = [];
    for (status of [200, 204, 302, 399, 400, 401, 404, 500])
      outcomes.push(`${status} ${(await judged(check)).outcome}`);
    expect(outcomes).toEqual([
      ...['200 passed', '204 passed', '302 passed', '399 passed'],
      ...['400 failed', '401 failed', '404 failed', '500 failed'],
    ]);
  });

  test('a status that is asked for is the only good one, at the end of redirections', async () => {
    await using server = await web(({ url }, response) => {
      if (url === '/') response.writeHead(301, { location: 'one' }).end();
      else if (url === '/one') response.writeHead(302, { location: `http://127.0.0.1:${server.port}/two` }).end();
      else response.writeHead(url === '/two' ? 204 : 404).end();
    });
    expect(await judged(httpValidator({ http: server.url, status: 204 }, { host }))).toMatchObject({
      outcome: 'passed',
      detail: `status 204 from ${server.url}/two`,
    });
    expect((await judged(httpValidator({ http: server.url, status: 301 }, { host }))).outcome).toBe('passed');
    expect(await judged(httpValidator({ http: server.url, status: 200 }, { host }))).toMatchObject({
      outcome: 'failed',
      detail: `status 204 from ${server.url}/two, and 200 is wanted`,
    });
  });

  test('redirections in a circle come to an end', async () => {
    await using server = await web((_, response) => response.writeHead(302, { location: '/' }).end());
    const { outcome, detail } = await judged(httpValidator({ http: server.url, status: 200 }, { host }));
    expect({ outcome, detail }).toEqual({
      outcome: 'failed',
      detail: `redirected more than 10 times, at last to ${server.url}/`,
    });
  });

  test('a password goes to the server it was written for and nowhere else, and is shown nowhere', async () => {
    const asked: (string | undefined)[] = [];
    await using other = await web(({ headers }, response) => {
      asked.push(headers.authorization);
      response.writeHead(200).end();
    });
    await using server = await web(({ headers, url }, response) => {
      asked.push(headers.authorization);
      response.writeHead(302, { location: url === '/a?key=s3cret' ? '/b' : other.url }).end();
    });
    const http = server.url.replace('http://', 'http://ada:hunter2@');
    const check = httpValidator({ http: `${http}/a?key=s3cret`, status: 200 }, { host });
    const verdict = await judged(check);
    const basic = `Basic ${Buffer.from('ada:hunter2').toString('base64')}`;
    expect(asked).toEqual([basic, basic, undefined]);
    expect(`${check.name} ${JSON.stringify(verdict)}`).not.toMatch(/hunter2|s3cret/);
  });

  test('each look makes a connection of its own, so that no old process answers', async () => {
    const ports = new Set<number | undefined>();
    await using server = await web(({ socket }, response) => {
      ports.add(socket.remotePort);
      response.end();
    });
    const check = httpValidator({ http: server.url }, { host });
    for (const _ of [1, 2, 3]) await judged(check);
    expect(ports.size).toBe(3);
  });

  test('a server that takes the connection and never answers is bad once its time is over', async () => {
    await using server = await web(() => {});
    const check = httpValidator({ http: server.url }, { host }, { limitMs: 50 });
    expect(await judged(check)).toEqual({ outcome: 'failed', detail: 'no answer within 0.05 s' });
  });

  test('an abort ends a look that is waiting for its answer', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    await using server = await web(() => resolve());
    const controller = new AbortController();
    const look = httpValidator({ http: server.url }, { host }).verdict(good, controller.signal);
    await asked;
    controller.abort('stopped');
    await expect(look).rejects.toBe('stopped');
  });

  test('that nothing listens is said', async () => {
    const server = await web(() => {});
    await server[Symbol.asyncDispose]();
    const { detail } = await judged(httpValidator({ http: server.url }, { host }));
    expect(detail).toBe('nothing listens there');
  });

  test('an address of another machine for itself is not asked from here', async () => {
    const far = { ...host, name: 'media', capabilities: { localPaths: false } };
    for (const name of ['localhost', '127.0.0.1', '[::1]']) {
      const check = httpValidator({ http: `http://${name}:1/` }, { host: far });
      await expect(check.baseline(never())).rejects.toMatchObject({ code: 'Unsupported' });
    }
    const check = tcpValidator({ tcp: '[::1]:1' }, { host: far });
    await expect(check.baseline(never())).rejects.toMatchObject({ code: 'Unsupported' });
  });

  describe.runIf(available('openssl'))('needs openssl', () => {
    test('what is wrong with a certificate is said', async () => {
      await using made = await certificate();
      const server = createSecureServer({ key: made.key, cert: made.certificate }, (_, response) => response.end());
      const port = await listening(server);
      try {
        const detail = async (url: string): Promise<string> =>
          (await judged(httpValidator({ http: url }, { host }))).detail;
        expect(await detail(`https://127.0.0.1:${port}`)).toBe('its TLS certificate is signed by itself');
        await using plain = await web((_, response) => response.end());
        expect(await detail(`https://127.0.0.1:${plain.port}`)).toBe('it does not speak TLS');
      } finally {
        await closed(server);
      }
    });
  });
});

describe('command', () => {
  const sh = (script: string, environment: Record<string, string> = {}, limitMs = 60_000) =>
    commandValidator({ command: ['sh', '-c', script] }, { host, environment }, { limitMs });

  test('it is told what it checks, and nothing of the caller', async () => {
    process.env.HOLDFAST_WITNESS = 'leaked';
    try {
      const check = sh('test "$HOLDFAST_SERVICE" = wiki && test -z "$HOLDFAST_WITNESS"', { HOLDFAST_SERVICE: 'wiki' });
      expect((await judged(check)).outcome).toBe('passed');
    } finally {
      delete process.env.HOLDFAST_WITNESS;
    }
  });

  test('how it ended and why is said', async () => {
    expect(await judged(sh('echo first >&2; echo "no mail since noon" >&2; exit 7'))).toEqual({
      outcome: 'failed',
      detail: 'ended with 7: no mail since noon',
    });
  });

  test('its arguments are not read by a shell', async () => {
    const check = commandValidator({ command: ['test', '$(echo a)', '=', '$(echo a)'] }, { host, environment: {} });
    expect((await judged(check)).outcome).toBe('passed');
  });

  test('one that does not end is stopped and bad', async () => {
    const { outcome, detail } = await judged(sh('sleep 600', {}, 100));
    expect({ outcome, detail }).toEqual({ outcome: 'failed', detail: 'did not end within 0.1 s and was stopped' });
  });
});

describe('sql', () => {
  test('what is true is what databases mean by it', () => {
    for (const cell of [1, -1, 2n, 0.5, 't', 'true', 'yes', 'ada', '1', '-3.5', '0x']) expect(isTrue(cell)).toBe(true);
    for (const cell of [0, 0n, Number.NaN, null, '', ' ', '0', '0.0', '-0', 'f', 'false', 'F', 'no', 'off'])
      expect(isTrue(cell)).toBe(false);
  });

  test('a source that answers no query is refused before anything is looked at', async () => {
    const files = filesSource('data', { files: ['/srv'] }, host);
    const opened = sqlValidator({ sql: { source: 'data', query: 'SELECT 1' } }, { source: async () => files });
    await expect(opened).rejects.toMatchObject({ code: 'Unsupported', subject: 'data' });
    await expect(files.query('SELECT 1', never())).rejects.toMatchObject({ code: 'Unsupported' });
  });

  test('a table that is gone and a database that is gone are bad, in the words of the database', async () => {
    await using made = await database('wal');
    expect((await judged(await made.check('SELECT 1 FROM user'))).detail).toContain('no such table: user');
    made.writer.close();
    await rm(made.path);
    expect(await judged(await made.check('SELECT 1'))).toMatchObject({ outcome: 'failed' });
  });

  test('what would change something does not, and is bad', async () => {
    for (const mode of ['wal', 'delete'] as const) {
      await using made = await database(mode);
      for (const query of ['DELETE FROM users RETURNING 1', 'DROP TABLE users', 'PRAGMA user_version = 7']) {
        const { outcome } = await judged(await made.check(query));
        expect(outcome).toBe('failed');
      }
      expect(made.writer.prepare('SELECT count(*) AS n FROM users').get()).toEqual({ n: 1 });
      expect(made.writer.prepare('PRAGMA user_version').get()).toEqual({ user_version: 0 });
    }
  });

  test('a database whose writer ended cleanly has nothing beside it afterwards', async () => {
    await using made = await database('wal');
    made.writer.close();
    expect(await judged(await made.check('SELECT name FROM users'))).toEqual({
      outcome: 'passed',
      detail: 'answers ada',
    });
    expect(await readdir(made.folder)).toEqual(['app.db']);
  });

  test('a query that takes long does not keep an abort waiting', async () => {
    await using made = await database('wal');
    const long = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n';
    const controller = new AbortController();
    const look = (await made.check(long)).verdict(good, controller.signal);
    setImmediate(() => controller.abort('stopped'));
    await expect(look).rejects.toBe('stopped');
  });
});

describe('unit', () => {
  const health = async (before: string, after: string): Promise<string> => {
    const unit = memoryUnit();
    const set = (to: string): void => {
      for (const member of unit.members.keys()) unit.members.set(member, to !== 'down');
      if (to !== 'down') unit.healthNow = to as typeof unit.healthNow;
    };
    const check = unitValidator(unit);
    set(before);
    const baseline = await check.baseline(never());
    set(after);
    return (await check.verdict(baseline, never())).outcome;
  };

  test.each([
    ...[
      ['healthy', 'down', 'failed'],
      ['undeclared', 'restarting', 'failed'],
      ['healthy', 'unhealthy', 'failed'],
    ],
    ...[
      ['healthy', 'starting', 'pending'],
      ['starting', 'starting', 'pending'],
      ['starting', 'down', 'failed'],
    ],
    ...[
      ['down', 'down', 'passed'],
      ['down', 'healthy', 'passed'],
      ['down', 'restarting', 'warning'],
    ],
    ...[
      ['unhealthy', 'down', 'warning'],
      ['restarting', 'starting', 'warning'],
      ['unhealthy', 'undeclared', 'passed'],
    ],
  ])('one that was %s and is %s: %s', async (before, after, outcome) => {
    expect(await health(before, after)).toBe(outcome);
  });

  test('one that was there and is gone has failed, and one that was never there has not', async () => {
    const [there, gone] = [unitValidator(memoryUnit()), unitValidator(memoryUnit({ missing: true }))];
    const baseline = await there.baseline(never());
    expect(await gone.verdict(baseline, never())).toEqual({ outcome: 'failed', detail: 'is not there' });
    expect((await gone.verdict(await gone.baseline(never()), never())).outcome).toBe('warning');
  });
});
