import { realpathSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareFacts, type Facts } from '../../src/domain/facts.ts';
import type { Capture, CapturedStream, CapturedTree, ItemFormat, Source } from '../../src/ports/source.ts';
import { bytesOf, contextIn, temporaryFolder, writeBytes } from '../sources/support.ts';

/** One source that can be captured, with some content of its own. */
export interface SourceFixture extends AsyncDisposable {
  readonly source: Source;
  readonly format: ItemFormat;
  /** The same, whose producer fails after it has given its bytes, or some of them. */
  readonly failing: Source;
  /** Whether snapshots can hold it, and whether it may hold databases, where its being a tree does not tell. */
  readonly snapshots?: boolean;
  readonly databases?: boolean;
  /** What the source's place looks like: names, sizes, times. */
  look(): Promise<unknown>;
  /** What other tools count in the source. */
  counted(): Promise<Facts>;
  /** Takes away what is captured. */
  destroy(): Promise<void>;
  /** Unpacks a stored item; answers with the path that {@link ItemFormat.facts} takes. */
  unpack(stored: string, folder: string): Promise<string>;
}

function only(capture: Capture): CapturedStream | CapturedTree {
  const [item, ...more] = capture.items;
  expect(more).toEqual([]);
  if (item === undefined) throw new Error('the capture has no item');
  return item;
}

/** What every source owes (ports/source.ts). */
export function sourceContract(name: string, fixture: () => Promise<SourceFixture>): void {
  test(`${name}: an item is named as foretold, and its facts are those that other tools count`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    await using capture = await made.source.capture(contextIn(workspace.path), signal);
    const item = only(capture);
    expect(capture.items.map((each) => each.name)).toEqual(made.source.itemNames);
    expect(item).toMatchObject({ source: made.source.name, kind: made.source.kind });
    await writeBytes(bytesOf(item, signal), join(workspace.path, 'stored'));
    expect(item.completed()).toEqual({ facts: await made.counted(), warnings: [], unreadable: [] });
  });

  test(`${name}: a restored item passes inspection and has the recorded facts`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    await using capture = await made.source.capture(contextIn(workspace.path), signal);
    const item = only(capture);
    const stored = join(workspace.path, 'stored');
    await writeBytes(bytesOf(item, signal), stored);
    const { facts } = item.completed();
    const findings = await made.format.inspect(bytesOf(item, signal), facts, workspace.path, signal);
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    const roots = item.type === 'tree' ? item.roots({ style: 'absolute' }) : [];
    const unpacked = await made.unpack(stored, workspace.path);
    expect(compareFacts(facts, await made.format.facts(unpacked, roots, signal))).toEqual([]);
  });

  test(`${name}: an item that lost its end, or has other facts, is found out`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    await using capture = await made.source.capture(contextIn(workspace.path), signal);
    const item = only(capture);
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytesOf(item, signal)) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    const { facts } = item.completed();
    const inspected = async (bytes: Buffer, recorded: Facts): Promise<readonly string[]> => {
      async function* once() {
        yield bytes;
      }
      const findings = await made.format.inspect(once(), recorded, workspace.path, signal);
      return [...new Set(findings.map(({ outcome }) => outcome))].toSorted();
    };
    expect(await inspected(whole, facts)).toEqual(['passed']);
    expect(await inspected(whole.subarray(0, 700), facts)).toContain('failed');
    expect(await inspected(whole, { ...facts, files: 4711, tables: { 'main.t': 4711 } })).toContain('failed');
  });

  test(`${name}: what the repository throws while an item is inspected is passed on`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    async function* broken() {
      yield new Uint8Array(512);
      throw new Error('the disk is gone');
    }
    await expect(made.format.inspect(broken(), {}, workspace.path, signal)).rejects.toThrow('the disk is gone');
  });

  test(`${name}: a source that is not there is missing, never empty`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    await made.destroy();
    await expect(made.source.capture(contextIn(workspace.path), signal)).rejects.toMatchObject({
      code: 'SourceMissing',
    });
    expect(await readdir(workspace.path)).toEqual([]);
  });

  test(`${name}: only what snapshots of its paths would hold says these paths, and where they really are`, async ({
    signal,
  }) => {
    await using made = await fixture();
    const roots = await made.source.snapshotRoots(signal);
    expect(roots.length > 0).toBe(made.snapshots ?? made.source.capabilities.tree);
    for (const { path, folder } of roots) {
      expect(realpathSync(path)).toBe(path);
      expect(statSync(path).isDirectory()).toBe(folder);
    }
    expect(await made.source.holdsDatabases(signal)).toBe(made.databases ?? !made.source.capabilities.tree);
  });

  test(`${name}: a producer that fails makes the capture fail, however much was read`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    async function captured(): Promise<void> {
      await using capture = await made.failing.capture(contextIn(workspace.path), signal);
      const item = only(capture);
      try {
        for await (const _ of bytesOf(item, signal)); // read to the end
      } finally {
        expect(() => item.completed()).toThrow('not read to its end');
      }
    }
    await expect(captured()).rejects.toThrow();
    expect(await readdir(workspace.path)).toEqual([]);
  });

  test(`${name}: nothing is complete before the last byte was read`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    await using capture = await made.source.capture(contextIn(workspace.path), signal);
    const item = only(capture);
    expect(() => item.completed()).toThrow('not read to its end');
    for await (const _ of bytesOf(item, signal)) break;
    expect(() => item.completed()).toThrow('not read to its end');
  });

  test(`${name}: a capture leaves the source as it is, and nothing of its own behind`, async ({ signal }) => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    const before = await made.look();
    {
      await using capture = await made.source.capture(contextIn(workspace.path), signal);
      for await (const _ of bytesOf(only(capture), signal)); // read to the end
    }
    expect(await made.look()).toEqual(before);
    expect(await readdir(workspace.path)).toEqual([]);
  });

  test(`${name}: an abort rejects with its reason and leaves nothing behind`, async () => {
    await using made = await fixture();
    await using workspace = await temporaryFolder();
    const reason = new Error('enough');
    await expect(made.source.capture(contextIn(workspace.path), AbortSignal.abort(reason))).rejects.toBe(reason);
    const aborting = new AbortController();
    async function captured(): Promise<void> {
      await using capture = await made.source.capture(contextIn(workspace.path), aborting.signal);
      for await (const _ of bytesOf(only(capture), aborting.signal)) aborting.abort(reason);
    }
    await expect(captured()).rejects.toBe(reason);
    expect(await readdir(workspace.path)).toEqual([]);
  });
}
