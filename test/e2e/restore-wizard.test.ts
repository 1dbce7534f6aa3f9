import { readdirSync, rmSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { aMachine, aServiceOn, isSame } from './holdfast.ts';
import { onTerminal } from './terminal.ts';

const ENTER = '\r';
const DOWN = '\u001b[B';
const CLEAR = '\u0015'; // Ctrl-U
const ESCAPE = '\u001b';

describe.runIf(postgresAvailable() && available('script'))('the wizard, for a PostgreSQL database', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  test('shows what is in the point, restores beside the present one, and has a name typed before it replaces it', async () => {
    await server.tool('createdb', 'mealie');
    await server.sql('mealie', "create table meals (name text); insert into meals values ('soup'), ('bread')");
    const machine = aMachine();
    machine.write('data/picture', 'picture\n');
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services:
  food:
    sources:
      db: { postgres: { socket: ${server.socket}, runAs: postgres, database: mealie, globals: true } }
      data: { files: [./data] }`);
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    machine.passes('verify');
    await server.sql('mealie', 'delete from meals');
    const meals = (database: string): Promise<string> =>
      server.sql(database, "select string_agg(name, ',' order by name) from meals");

    const beside = await onTerminal(
      machine,
      ['restore'],
      [
        ['Which service?', ENTER],
        ['Which recovery point of food?', ENTER],
        // all are chosen at first: without the folder it is one database, and the roles
        ['Which items?', `${DOWN}${DOWN} ${ENTER}`],
        ['Where to?', `${DOWN}${ENTER}`],
        ['Which name?', `${CLEAR}mealie${ENTER}`],
        ['Where to?', `${DOWN}${ENTER}`], // that name is taken
        ['mealie_restored', ENTER],
        ['Restore?', 'y'],
      ],
    );
    expect(beside.exitCode, beside.printed).toBe(0);
    expect(beside.printed).toContain('has a database mealie already');
    expect(beside.printed).toContain('It is proved sound');
    expect(beside.printed).toContain('1 table, 2 rows');
    expect(beside.printed).toContain('Beside mealie, under another name');
    expect(beside.printed).toContain('Make the database mealie_restored');
    expect([await meals('mealie_restored'), await meals('mealie')]).toEqual(['bread,soup', '']);

    const words = ['restore', 'food', '--item', 'postgres_mealie'];
    const toInPlace = [
      ['Which recovery point of food?', ENTER],
      ['Where to?', `${DOWN}${DOWN}${ENTER}`],
    ] as const;
    const left = await onTerminal(machine, words, [...toInPlace, ['Type the name', ESCAPE]]);
    expect(left.exitCode, left.printed).toBe(1);
    expect(await meals('mealie')).toBe('');

    const inPlace = await onTerminal(machine, words, [
      ...toInPlace,
      ['Type the name', `wrong${ENTER}`],
      ['Type food, or press Escape', `${CLEAR}food${ENTER}`],
    ]);
    expect(inPlace.exitCode, inPlace.printed).toBe(0);
    expect(inPlace.printed).toMatch(/Rename mealie to mealie_recovery_backup_\d{8}_\d{6}/);
    expect(await meals('mealie')).toBe('bread,soup');
    const kept = await server.sql('postgres', "select datname from pg_database where datname like 'mealie_recovery%'");
    expect(await meals(kept)).toBe('');
  }, 120_000);
});

describe.runIf(['script', 'sqlite3'].every(available))('the wizard', () => {
  test('stands on the newest point that is whole, and marks those that are not taken by themselves', async () => {
    const machine = aMachine();
    aServiceOn(machine);
    const [whole] = machine.json(0, 'backup').points;
    rmSync(machine.path('db/notes.db'));
    const [partial] = machine.json(3, 'backup').points;
    const to = machine.path('to');
    const ended = await onTerminal(
      machine,
      ['restore', 'notes'],
      [
        ['Which recovery point of notes?', ENTER],
        ['Which items?', ENTER],
        ['Where to?', ENTER],
        ['Which folder?', `${CLEAR}${to}${ENTER}`],
        ['Restore?', 'y'],
      ],
    );
    expect(ended.exitCode, ended.printed).toBe(0);
    expect(stripVTControlCharacters(ended.printed)).toMatch(/○ [^\n]*partial[^\n]*\n[\s\S]*● [^\n]*passed/);
    expect(isSame(`${to}${machine.path('data')}`, machine.path('data'))).toBe(true);
    expect(readdirSync(to)).toContain('sqlite_db.db');
    machine.passes('hold', whole.id, '--reason', 'the books were closed');
    const left = await onTerminal(machine, ['restore', 'notes'], [['Which recovery point of notes?', ESCAPE]]);
    expect(left.exitCode).toBe(1);
    expect(left.printed).toContain('(held: the books were closed)');
    expect(partial.outcome).toBe('partial');
  }, 60_000);
});
