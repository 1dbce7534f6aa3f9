import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { PROGRAM } from '../services/program.ts';

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What stands on stdin; nothing when left out. */
  readonly input?: string;
  /** Of `start`: in a session of its own, without the terminal that the tests themselves may have. */
  readonly withoutTerminal?: boolean;
}

const [node, bundle] = PROGRAM;

/** A command that runs: its signals, and how it ends. */
export interface Running {
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
  /** So far. */
  printed(): Pick<Ended, 'stdout' | 'stderr'>;
}

/** A machine of its own for the program: a folder with a configuration, a HOME and a state folder that no other test
 *  has. The program runs as a child without a terminal. */
export interface Machine {
  readonly folder: string;
  /** `holdfast.yaml`, given by HOLDFAST_CONFIG. */
  readonly configuration: string;
  readonly environment: Readonly<Record<string, string>>;
  /** An absolute path in the folder. */
  path(...names: readonly string[]): string;
  /** Writes a file in the folder, and the folders above it. */
  write(name: string, content: string | Uint8Array): string;
  /** Writes the configuration; `version: 1` is added. */
  configure(yaml: string): void;
  run(args: readonly string[], options?: RunOptions): Ended;
  start(args: readonly string[], options?: RunOptions): Running;
  /** What it printed on stdout; the test fails when it does not end with 0. */
  passes(...args: readonly string[]): string;
  /** The one JSON document that it printed; the test fails when it does not end with `exitCode`. */
  json(exitCode: number, ...args: readonly string[]): Json;
}

// biome-ignore lint/suspicious/noExplicitAny: what a program printed is looked at by the assertions alone
export type Json = any;

/** @param more of the environment: where an engine is */
export function aMachine(more: Readonly<Record<string, string>> = {}): Machine {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-e2e-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (...names: readonly string[]): string => join(folder, ...names);
  const configuration = path('holdfast.yaml');
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: path('home'),
    STATE_DIRECTORY: path('state'),
    HOLDFAST_CONFIG: configuration,
    ...more,
  };
  mkdirSync(environment.HOME);

  const write = (name: string, content: string | Uint8Array): string => {
    mkdirSync(join(path(name), '..'), { recursive: true });
    writeFileSync(path(name), content);
    return path(name);
  };
  function run(args: readonly string[], options: RunOptions = {}): Ended {
    const { status, stdout, stderr, error } = spawnSync(node, [bundle, ...args], {
      env: { ...environment, ...options.environment },
      cwd: options.cwd ?? folder,
      input: options.input ?? '',
      encoding: 'utf8',
      maxBuffer: 256 * 1024 ** 2,
    });
    if (error) throw error;
    return { exitCode: status, stdout, stderr };
  }
  function start(args: readonly string[], options: RunOptions = {}): Running {
    const child = spawn(node, [bundle, ...args], {
      env: { ...environment, ...options.environment },
      cwd: options.cwd ?? folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: options.withoutTerminal ?? false,
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.stderr += text;
    });
    const { promise: ended, resolve: end, reject } = Promise.withResolvers<Ended>();
    child.on('error', reject);
    child.on('close', (exitCode) => end({ exitCode, ...printed }));
    onTestFinished(() => void child.kill('SIGKILL'));
    return { kill: (signal) => void child.kill(signal), ended, printed: () => ({ ...printed }) };
  }
  return {
    ...{ folder, configuration, environment, path, write, run, start },
    configure: (yaml) => writeFileSync(configuration, `version: 1\n${yaml}`),
    passes: (...args) => {
      const { exitCode, stdout, stderr } = run(args);
      expect(exitCode, `${args.join(' ')}\n${stderr}${stdout}`).toBe(0);
      return stdout;
    },
    json: (exitCode, ...args) => {
      const ended = run([...args, '--json']);
      expect(ended.exitCode, `${args.join(' ')}\n${ended.stderr}${ended.stdout}`).toBe(exitCode);
      expect(ended.stdout).toMatch(/^[^\n]+\n$/);
      return JSON.parse(ended.stdout);
    },
  };
}

/** Another tool's stdout; it throws when the tool does not end with 0. */
export const tool = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** True when `diff -r` finds no difference in names and bytes. */
export const isSame = (one: string, other: string): boolean =>
  spawnSync('diff', ['-r', '--no-dereference', one, other]).status === 0;

/** A service `notes` of a tree (`data`) and a database (`db`), a repository `disk` that is initialized. `plans` and more
 *  goes behind the services. */
export function aServiceOn(machine: Machine, more = ''): void {
  machine.write('data/soup.txt', 'soup\n');
  machine.write('data/deep/er/bread.txt', 'bread\n');
  machine.write('data/a name\twith "all" of it\n.txt', 'odd\n');
  machine.write('db/.keep', '');
  tool('sqlite3', machine.path('db/notes.db'), "create table notes (text); insert into notes values ('then'), ('now')");
  machine.configure(`repositories:
  disk: { engine: archive, path: ./disk }
services:
  notes: { sources: { data: { files: [./data] }, db: { sqlite: ./db/notes.db } } }
${more}`);
  machine.passes('repository', 'init', 'disk');
}
