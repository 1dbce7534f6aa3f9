import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commandOf, stopOf, unknownLabels, wordsOf } from '../../src/domain/container-labels.ts';
import { type Container, placesOf, sharedBy } from '../../src/domain/containers.ts';

const places = placesOf({
  sources: [
    { name: 'data', kind: 'volume', settings: { volume: 'app_data' } },
    { name: 'conf', kind: 'files', settings: { files: ['/srv/app/conf'] } },
    { name: 'db', kind: 'postgres', settings: { postgres: { database: 'app' } } },
  ],
});
const app = { service: 'app', places };

const aContainer = (given: Partial<Container>): Container => ({
  ...{ id: 'a', name: 'web', running: true, createdAt: '2026-01-01T00:00:00Z', labels: {}, mounts: [], own: false },
  ...given,
});
const volume = (source: string, writable = true) => ({ kind: 'volume', source, writable }) as const;
const bind = (source: string, writable = true) => ({ kind: 'bind', source, writable }) as const;

describe('containers that stop while a service is read', () => {
  const stop = (labels: Record<string, string>, given: Partial<Container> = {}, sharing = false): string => {
    const own = Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [`docker-volume-backup.${name}`, value]),
    );
    return stopOf(aContainer({ labels: own, mounts: [volume('app_data')], ...given }), app, sharing);
  };

  test('are those whose label says true and that share something with it, or that name it', () => {
    expect(stop({ 'stop-during-backup': 'true' })).toBe('stops');
    expect(stop({ 'stop-during-backup': 'true' }, { mounts: [volume('other')] })).toBe('runs');
    expect(stop({ 'stop-during-backup': 'app' }, { mounts: [] })).toBe('stops');
    expect(stop({ 'stop-during-backup': 'other' })).toBe('runs');
    expect(stop({ 'stop-during-backup-no-restart': 'true' })).toBe('stops-for-good');
  });

  test('are none without a label, unless those are asked for that can write to what is read', () => {
    expect(stop({})).toBe('runs');
    expect(stop({}, {}, true)).toBe('stops');
    expect(stop({}, { mounts: [volume('app_data', false)] }, true)).toBe('runs');
    expect(stop({}, { mounts: [bind('/srv/app')] }, true)).toBe('stops');
    expect(stop({}, { mounts: [bind('/srv/app/conf/deep')] }, true)).toBe('stops');
    expect(stop({}, { mounts: [bind('/srv/application')] }, true)).toBe('runs');
  });

  test('never include the one that the program runs in', () => {
    expect(stop({ 'stop-during-backup': 'true' }, { own: true }, true)).toBe('runs');
  });

  test('cannot both start again and not', () => {
    const both = { 'stop-during-backup': 'true', 'stop-during-backup-no-restart': 'true' };
    expect(() => stop(both)).toThrow('only one can be');
    // somebody else's mistake keeps no service from being backed up
    expect(stop(both, { mounts: [volume('other')] })).toBe('runs');
    expect(stop({ 'stop-during-backup': 'other', 'stop-during-backup-no-restart': 'third' })).toBe('runs');
  });
});

describe('commands of labels', () => {
  const labels = {
    'docker-volume-backup.archive-pre': `sh -c 'pg_dump "$NAME" > /dump'`,
    'docker-volume-backup.archive-pre.user': 'git',
  };

  test('run for the services that their container shares something with, as the account they name', () => {
    expect(commandOf(aContainer({ labels, mounts: [volume('app_data')] }), 'archive-pre', app)).toEqual({
      ...{ container: 'web', running: true, phase: 'archive-pre', user: 'git', sources: ['data'] },
      argv: ['sh', '-c', 'pg_dump "$NAME" > /dump'],
    });
    expect(commandOf(aContainer({ labels }), 'archive-pre', app)).toBeNull();
    expect(commandOf(aContainer({ labels, mounts: [volume('app_data')] }), 'archive-post', app)).toBeNull();
  });

  test('run for the one service that an exec-label names, and for no other', () => {
    const named = { ...labels, 'docker-volume-backup.exec-label': 'app' };
    expect(commandOf(aContainer({ labels: named }), 'archive-pre', app)?.sources).toEqual([]);
    const other = { ...labels, 'docker-volume-backup.exec-label': 'other' };
    expect(commandOf(aContainer({ labels: other, mounts: [volume('app_data')] }), 'archive-pre', app)).toBeNull();
  });

  test('that cannot be read, and labels that mean nothing, are named', () => {
    const open = { 'docker-volume-backup.copy-post': 'sh -c "oh' };
    const container = aContainer({ labels: open, mounts: [volume('app_data')] });
    expect(() => commandOf(container, 'copy-post', app)).toThrow('is no command');
    const labelled = aContainer({ labels: { ...labels, 'docker-volume-backup.process-pre': 'x', other: 'y' } });
    expect(unknownLabels(labelled)).toEqual(['docker-volume-backup.process-pre']);
  });

  test.each([
    [`a  "b c" 'd "e"' f\\ g ""`, ['a', 'b c', 'd "e"', 'f g', '']],
    [`"a\\"b\\$c\\d"`, ['a"b$c\\d']],
    [`sh -c 'echo "ok" > ok.txt'`, ['sh', '-c', 'echo "ok" > ok.txt']],
    [`a'b'"c"`, ['abc']],
    ['', []],
    [`'open`, null],
    ['end\\', null],
  ])('%s is split as a shell splits it', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  test('any word comes back from its quotes', () => {
    const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        expect(wordsOf(words.map(quoted).join(' '))).toEqual(words);
      }),
    );
  });
});

test('a container shares what it has mounted, a part of it, or what lies around it', () => {
  const shared = (...mounts: Container['mounts']): readonly string[] =>
    sharedBy({ mounts }, places, { writable: false }).map(({ source }) => source);
  expect(shared(volume('app_data', false), bind('/srv/app/conf/deep'))).toEqual(['data', 'conf']);
  expect(shared(bind('/'))).toEqual(['conf']);
  expect(shared(volume('app_data2'), bind('/srv/ap'))).toEqual([]);
  expect(shared({ kind: 'volume', source: 'x', folder: '/srv/app/conf/x/_data', writable: true })).toEqual(['conf']);
  expect(shared({ kind: 'volume', source: 'x', folder: '', writable: true })).toEqual([]);
});
