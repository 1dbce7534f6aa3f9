import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { Difference, Snapshotter } from '../../src/ports/snapshotter.ts';

/** A pool to be tried. Paths of files have no folder in them, or one. */
export interface SnapshotterFixture extends AsyncDisposable {
  readonly snapshotter: Snapshotter;
  makeSubvolume(name: string, files?: Readonly<Record<string, string>>): Promise<void>;
  /** A snapshot made as a person makes one, with the tool of the file system. */
  makeByHand(subvolume: string, name: string): Promise<void>;
  write(name: string, path: string, content: string): Promise<void>;
  removeFile(name: string, path: string): Promise<void>;
  /** The files under a name in the pool's folder, else in its snapshots folder; null when it is not there. */
  files(name: string): Promise<Readonly<Record<string, string>> | null>;
}

const signal = AbortSignal.timeout(600_000);
const SNAPSHOT = 'media-pre-deploy-20260501-020000';
const KEPT = 'media.recovery-backup-20260502-030000';

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => 'it succeeded',
    (cause: unknown) => cause,
  );
  return error instanceof HoldfastError ? error.code : String(error);
}

async function rows(differences: AsyncIterable<Difference>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const { path, change, bytes } of differences) all.push(`${change} ${path} ${bytes}`);
  return all.sort();
}

/** What every snapshotter owes (ports/snapshotter.ts). */
export function snapshotterContract(name: string, fixture: () => Promise<SnapshotterFixture>): void {
  describe(`${name}: snapshots`, () => {
    test('a snapshot holds what was there, whatever is written and removed afterwards', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la', 'folder/deep': 'x' });
      const snapshot = await made.snapshotter.snapshot('media', SNAPSHOT, signal);
      expect(snapshot).toMatchObject({ name: SNAPSHOT, kind: 'snapshot', subvolume: 'media' });
      expect(snapshot.path).toBe(`${made.snapshotter.snapshotsPath}/${SNAPSHOT}`);
      expect(snapshot.readOnly).toBe(made.snapshotter.capabilities.readOnly);
      await made.write('media', 'song', 'lala');
      await made.removeFile('media', 'folder/deep');
      expect(await made.files(SNAPSHOT)).toEqual({ song: 'la', 'folder/deep': 'x' });
      expect(await made.files('media')).toEqual({ song: 'lala' });
    });

    test('a name that is taken is refused, and what has it stays as it is', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la' });
      await made.snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.write('media', 'song', 'lala');
      expect(await codeOf(made.snapshotter.snapshot('media', SNAPSHOT, signal))).toBe('TargetExists');
      expect(await made.files(SNAPSHOT)).toEqual({ song: 'la' });
      expect(await made.snapshotter.list(signal)).toHaveLength(1);
    });

    test('what does not exist is named as missing, and nothing is made', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media');
      const { snapshotter } = made;
      expect(await codeOf(snapshotter.snapshot('medias', 'medias-1', signal))).toBe('SubvolumeMissing');
      expect(await codeOf(snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal))).toBe('SnapshotMissing');
      expect(await codeOf(rows(snapshotter.diff(SNAPSHOT, null, signal)))).toBe('SnapshotMissing');
      expect(await codeOf(snapshotter.rename('medias', KEPT, signal))).toBe('SubvolumeMissing');
      expect(await snapshotter.examine('medias', signal)).toMatchObject({ exists: false, identity: null });
      expect([await snapshotter.holds('medias', signal), await snapshotter.holds('media', signal)]).toEqual([
        false,
        true,
      ]);
      expect(await snapshotter.list(signal)).toEqual([]);
      expect(await snapshotter.subvolumes(signal)).toEqual(['media']);
    });

    test('the folder of the pool itself is snapshotted without the subvolumes in it, or not at all', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      if (!snapshotter.capabilities.whole) {
        expect(await codeOf(snapshotter.examine(null, signal))).toBe('Unsupported');
        expect(await codeOf(snapshotter.snapshot(null, '.holdfast-1', signal))).toBe('Unsupported');
        expect(await made.files('.holdfast-1')).toBeNull();
        return;
      }
      expect(await snapshotter.examine(null, signal)).toMatchObject({ path: snapshotter.path, nested: ['media'] });
      const snapshot = await snapshotter.snapshot(null, '.holdfast-1', signal);
      expect(snapshot).toMatchObject({ path: `${snapshotter.snapshotsPath}/.holdfast-1`, readOnly: true });
      expect(await made.files('.holdfast-1')).toEqual({});
      expect(await snapshotter.list(signal)).toEqual([]); // it is there for a moment
      await snapshotter.remove('.holdfast-1', signal);
      expect(await made.files('.holdfast-1')).toBeNull();
      expect(await made.files('media')).toEqual({ song: 'la' });
    });

    test.for(['../media', 'a/b', '.', '..', '', 'new\nline'])('the name %j is refused everywhere', async (bad) => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media');
      const snapshot = (await snapshotter.snapshot('media', SNAPSHOT, signal)).name;
      const calls = [
        () => snapshotter.examine(bad, signal),
        () => snapshotter.snapshot(bad, 'x', signal),
        () => snapshotter.snapshot('media', bad, signal),
        () => snapshotter.materialize(bad, '.holdfast-1', signal),
        () => snapshotter.materialize(snapshot, bad, signal),
        () => snapshotter.rename('media', bad, signal),
        () => snapshotter.rename(bad, KEPT, signal),
        () => snapshotter.remove(bad, signal),
        () => rows(snapshotter.diff(bad, null, signal)),
        () => rows(snapshotter.diff(snapshot, bad, signal)),
      ];
      for (const call of calls) expect(await codeOf(call())).toBe('Usage');
      expect(await made.files('media')).toEqual({});
      expect((await snapshotter.list(signal)).map((one) => one.name)).toEqual([SNAPSHOT]);
    });

    test('an aborted call changes nothing and rejects with the reason', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      await snapshotter.snapshot('media', SNAPSHOT, signal);
      const reason = new Error('enough');
      const aborted = AbortSignal.abort(reason);
      await expect(snapshotter.snapshot('media', 'media-2', aborted)).rejects.toBe(reason);
      await expect(snapshotter.remove(SNAPSHOT, aborted)).rejects.toBe(reason);
      await expect(snapshotter.rename('media', KEPT, aborted)).rejects.toBe(reason);
      await expect(snapshotter.materialize(SNAPSHOT, '.holdfast-1', aborted)).rejects.toBe(reason);
      await expect(rows(snapshotter.diff(SNAPSHOT, null, aborted))).rejects.toBe(reason);
      expect((await snapshotter.list(signal)).map((one) => one.name)).toEqual([SNAPSHOT]);
      expect(await made.files('media')).toEqual({ song: 'la' });
      expect(await made.files('.holdfast-1')).toBeNull();
    });
  });

  describe(`${name}: list`, () => {
    test('snapshots made by hand and kept states stand beside recorded ones, newest first', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      await snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.makeByHand('media', 'media-20260430T235959');
      await made.makeByHand('media', 'before the move');
      await snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal);
      await snapshotter.rename('.holdfast-1', KEPT, signal);
      const listed = await snapshotter.list(signal);
      // the one without a time in its name was made just now, long after the others by their names or long before
      const others = listed.filter((one) => one.name !== 'before the move');
      expect(others.map((one) => [one.name, one.kind, one.subvolume, String(one.madeAt)])).toEqual([
        [KEPT, 'kept-state', 'media', '2026-05-02T03:00:00Z'],
        [SNAPSHOT, 'snapshot', 'media', '2026-05-01T02:00:00Z'],
        ['media-20260430T235959', 'snapshot', 'media', '2026-04-30T23:59:59Z'],
      ]);
      const byHand = listed.find((one) => one.name === 'before the move');
      // no name tells it: it is nobody's, or of what the file system says
      expect([null, 'media']).toContain(byHand?.subvolume);
      expect(Math.abs(Date.now() - (byHand?.madeAt.epochMilliseconds ?? 0))).toBeLessThan(600_000);
      expect(await snapshotter.subvolumes(signal)).toEqual(['media']);
      for (const one of listed)
        expect(await snapshotter.find(one.name, signal)).toEqual({ ...one, exclusiveBytes: null });
      expect(await snapshotter.find('media', signal)).toBeNull();
    });

    test('a snapshot belongs to the longest name before a hyphen', async () => {
      await using made = await fixture();
      for (const one of ['media', 'media-photos']) await made.makeSubvolume(one);
      const { snapshotter } = made;
      await snapshotter.snapshot('media-photos', 'media-photos-x-20260501-020000', signal);
      await snapshotter.snapshot('media', 'media-photo-20260501-020001', signal);
      await made.makeByHand('media', 'mediaphotos-20260501-020002');
      const [byHand, ...named] = (await snapshotter.list(signal)).map((one) => one.subvolume);
      expect(named).toEqual(['media', 'media-photos']);
      expect([null, 'media']).toContain(byHand);
    });

    test('what is made for the moment is neither a snapshot nor a subvolume', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la' });
      await made.snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal);
      expect((await made.snapshotter.list(signal)).map((one) => one.name)).toEqual([SNAPSHOT]);
      expect(await made.snapshotter.subvolumes(signal)).toEqual(['media']);
    });
  });

  describe(`${name}: the way back`, () => {
    test('a copy of a snapshot can be written to, and the snapshot stays as it is', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la' });
      await made.snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal);
      await made.write('.holdfast-1', 'song', 'changed');
      expect(await made.files('.holdfast-1')).toEqual({ song: 'changed' });
      expect(await made.files(SNAPSHOT)).toEqual({ song: 'la' });
      expect(await codeOf(made.snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal))).toBe('TargetExists');
    });

    test('an exchange swaps what is under two names, and who is who can be told afterwards', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      await snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.write('media', 'song', 'broken');
      await snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal);
      const identities = async () =>
        (await Promise.all(['media', '.holdfast-1'].map((one) => snapshotter.examine(one, signal)))).map(
          (state) => state.identity,
        );
      const [present, restored] = await identities();
      expect(present).not.toBe(restored);
      if (!snapshotter.capabilities.atomic) {
        expect(await codeOf(snapshotter.exchange('media', '.holdfast-1', signal))).toBe('Unsupported');
        expect(await identities()).toEqual([present, restored]);
        return;
      }
      await snapshotter.exchange('media', '.holdfast-1', signal);
      expect(await made.files('media')).toEqual({ song: 'la' });
      expect(await made.files('.holdfast-1')).toEqual({ song: 'broken' });
      expect(await identities()).toEqual([restored, present]);
      await snapshotter.exchange('media', '.holdfast-1', signal);
      expect(await identities()).toEqual([present, restored]);
      expect(await codeOf(snapshotter.exchange('media', '.holdfast-2', signal))).toBe('SubvolumeMissing');
    });

    test('a rename keeps who it is, and never takes the place of another', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      await made.makeSubvolume('config');
      const { identity } = await snapshotter.examine('media', signal);
      expect(await codeOf(snapshotter.rename('media', 'config', signal))).toBe('TargetExists');
      await snapshotter.rename('media', KEPT, signal);
      expect((await snapshotter.examine(KEPT, signal)).identity).toBe(identity);
      expect(await made.files(KEPT)).toEqual({ song: 'la' });
      expect(await made.files('config')).toEqual({});
    });

    test('a kept state is a snapshot like any other: it comes back, and is removed by its name', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'broken' });
      await snapshotter.rename('media', KEPT, signal);
      await snapshotter.materialize(KEPT, '.holdfast-1', signal);
      await snapshotter.rename('.holdfast-1', 'media', signal);
      expect(await made.files('media')).toEqual({ song: 'broken' });
      await snapshotter.remove(KEPT, signal);
      expect(await made.files(KEPT)).toBeNull();
      expect(await made.files('media')).toEqual({ song: 'broken' });
    });
  });

  describe(`${name}: removal`, () => {
    test('only the one that is named goes, and one that is gone is no error', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { song: 'la' });
      const names = ['media-1', 'media-1-2', 'media-11', '*'];
      for (const one of names) await snapshotter.snapshot('media', one, signal);
      await snapshotter.remove('media-1', signal);
      await snapshotter.remove('media-1', signal);
      await snapshotter.remove('*', signal);
      expect((await snapshotter.list(signal)).map((one) => one.name).sort()).toEqual(['media-1-2', 'media-11']);
      expect(await made.files('media-11')).toEqual({ song: 'la' });
    });

    test('a subvolume is never removed', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la' });
      expect(await codeOf(made.snapshotter.remove('media', signal))).toBe('Refused');
      expect(await made.files('media')).toEqual({ song: 'la' });
    });

    test('a provisional copy is removed, and the snapshot that it is of stays', async () => {
      await using made = await fixture();
      await made.makeSubvolume('media', { song: 'la' });
      await made.snapshotter.snapshot('media', SNAPSHOT, signal);
      await made.snapshotter.materialize(SNAPSHOT, '.holdfast-1', signal);
      await made.snapshotter.remove('.holdfast-1', signal);
      expect(await made.files('.holdfast-1')).toBeNull();
      expect(await made.files(SNAPSHOT)).toEqual({ song: 'la' });
    });
  });

  describe(`${name}: differences`, () => {
    test('files that came, went and changed are told with their sizes, to another snapshot and to now', async () => {
      await using made = await fixture();
      const { snapshotter } = made;
      await made.makeSubvolume('media', { same: 'same', old: 'gone', text: 'one' });
      await snapshotter.snapshot('media', 'media-a', signal);
      await made.write('media', 'text', 'one and two');
      await made.write('media', 'fresh', '12345');
      await snapshotter.snapshot('media', 'media-b', signal);
      await made.removeFile('media', 'old');
      const first = ['added fresh 5', 'modified text 11'];
      expect(await rows(snapshotter.diff('media-a', 'media-b', signal))).toEqual(first);
      expect(await rows(snapshotter.diff('media-a', null, signal))).toEqual([...first, 'removed old 4'].sort());
      expect(await rows(snapshotter.diff('media-b', null, signal, 'media'))).toEqual(['removed old 4']);
      expect(await rows(snapshotter.diff('media-b', 'media-a', signal))).toEqual([
        'modified text 3',
        'removed fresh 5',
      ]);
      expect(await rows(snapshotter.diff('media-a', 'media-a', signal))).toEqual([]);
      expect((await snapshotter.list(signal)).map((one) => one.name).sort()).toEqual(['media-a', 'media-b']);
    });
  });
}
