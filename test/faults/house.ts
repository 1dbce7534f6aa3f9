import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { noise } from '../contracts/captured-items.ts';
import { PROGRAM } from '../services/program.ts';

export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Holdfast as it ships, on a folder of its own with a service `mealie`: a tree and a database. */
export interface House extends Disposable {
  readonly folder: string;
  /** What `holdfast` and its children see of the caller's environment. */
  readonly environment: Record<string, string>;
  /** The program and its first arguments. */
  readonly program: typeof PROGRAM;
  path(...names: string[]): string;
  holdfast(...args: string[]): Ended;
  /** Ends with 0, or the test fails with what it said. @returns stdout */
  passes(...args: string[]): string;
  /** Ends with this code, and says why in words. @returns what it said */
  fails(code: number, ...args: string[]): string;
  start(...args: string[]): ChildProcess;
  /** Runs another program in the folder. @throws unless it ends with 0 */
  tool(program: string, ...args: string[]): string;
  configure(text: string): void;
  /** Takes a copy of everything, to which `reset` goes back, under the same paths. */
  save(): void;
  reset(): void;
}

export const CONFIGURATION = `version: 1
repositories:
  disk: { engine: archive, path: ./disk }
  tars: { engine: archive, path: ./tars, layout: single, filename: 'mealie-%Y%m%d-%H%M%S.tar.zst' }
services:
  mealie:
    sources:
      data: { files: [./data] }
      db: { sqlite: ./notes.db }
plans:
  nightly: { services: [mealie], repositories: [disk], schedule: '0 2 * * *', anomaly: false, retention: { latest: 1 } }
  weekly: { services: [mealie], repositories: [tars], schedule: '0 3 * * 0', anomaly: false, retention: { latest: 1 } }
`;

/** @param word what the data say, so that two states of it can be told apart */
export function fill(house: Pick<House, 'path' | 'tool'>, word: string): void {
  for (const old of ['data', 'notes.db']) rmSync(house.path(old), { recursive: true, force: true });
  mkdirSync(house.path('data', 'inner'), { recursive: true });
  for (let number = 0; number < 30; number++)
    writeFileSync(house.path('data', 'inner', `${number}`), `${word} ${number}\n`.repeat(200));
  writeFileSync(house.path('data', 'noise'), noise(3_000_000, word.length));
  writeFileSync(house.path('data', word), word);
  const rows = 'with recursive row(n) as (select 1 union all select n + 1 from row where n < 2000)';
  const sql = `create table notes (text); ${rows} insert into notes select '${word} ' || n from row`;
  house.tool('sqlite3', house.path('notes.db'), sql);
}

/** @param place where its folder lies */
export function aHouse(place = tmpdir()): House {
  const folder = realpathSync(mkdtempSync(join(place, 'holdfast-faults-')));
  const home = join(folder, 'house');
  const program = PROGRAM;
  mkdirSync(home);
  const path = (...names: string[]): string => join(home, ...names);
  const environment: Record<string, string> = {
    ...{ PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: home, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    ...{ STATE_DIRECTORY: path('state'), HOLDFAST_CONFIG: path('holdfast.yaml') },
  };
  const options = { env: environment, cwd: home, encoding: 'utf8', input: '', maxBuffer: 2 ** 28 } as const;
  const house: House = {
    folder: home,
    environment,
    program,
    path,
    holdfast: (...args) => spawnSync(program[0], [program[1], ...args], options),
    passes(...args) {
      const { status, stdout, stderr } = house.holdfast(...args);
      expect(status, `holdfast ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
      return stdout;
    },
    fails(code, ...args) {
      const { status, stdout, stderr } = house.holdfast(...args);
      expect(status, `holdfast ${args.join(' ')}\n${stdout}${stderr}`).toBe(code);
      expect(stdout + stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$|defect of Holdfast/m); // no stack, and no surprise
      return stdout + stderr;
    },
    start: (...args) =>
      spawn(program[0], [program[1], ...args], { env: environment, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] }),
    tool: (name, ...args) => execFileSync(name, args, { ...options, stdio: 'pipe' }),
    configure: (text) => writeFileSync(path('holdfast.yaml'), text),
    save() {
      execFileSync('cp', ['-a', '--', home, join(folder, 'saved')]);
    },
    reset() {
      // the folder itself stays: it may be somebody's working folder
      for (const name of readdirSync(home)) rmSync(path(name), { recursive: true, force: true });
      execFileSync('cp', ['-a', '--', `${join(folder, 'saved')}/.`, home]);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  house.configure(CONFIGURATION);
  fill(house, 'then');
  return house;
}
