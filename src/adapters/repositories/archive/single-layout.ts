import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import type { PointReference, RecoveryPoint, UnreadablePoint } from '../../../domain/recovery-point.ts';
import type { Listing, ListQuery, Problem } from '../../../ports/repository.ts';
import { removeDurably } from './durable.ts';
import { foreignArchives } from './foreign.ts';
import { openItem } from './item-file.ts';
import { forEachOf, type Layout } from './layout.ts';
import type { Locks } from './locks.ts';
import { archiveNames } from './names.ts';
import { newestFirst, readBesides, recoveryPoint } from './point-files.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { HOLD, REPORTS } from './stored-names.ts';

/** What may stand beside an archive, after its name and a dot. */
const BESIDES = ['json', 'index', HOLD, ...REPORTS.flatMap((name) => [`${name}.txt`, `${name}.json`])];

/** What stands in every manifest of ours, also in one that is damaged. */
const OURS = '"holdfast"';

/** An archive per point, all in the repository's folder: `<archive>`, its manifest in `<archive>.json`. */
export function singleLayout(settings: ArchiveSettings, tools: Pick<ArchiveTools, 'host'>, locks: Locks): Layout {
  const { path, name: repository, sealing } = settings;
  const names = archiveNames(settings.filename, settings.compression, sealing);
  const foreign = foreignArchives(settings, tools, names);

  /** Visible names. */
  async function present(): Promise<ReadonlySet<string>> {
    const entries = await readdir(path, { withFileTypes: true });
    return new Set(entries.flatMap((entry) => (entry.isFile() && !entry.name.startsWith('.') ? entry.name : [])));
  }

  async function manifestOf(
    archive: string,
  ): Promise<Manifest & { readonly archive: { readonly file: string; readonly size: number } }> {
    const text = await readFile(join(path, `${archive}.json`), 'utf8');
    const { parseManifest } = await import('../../../domain/manifest.ts');
    const manifest = parseManifest(text, archive);
    if (manifest.archive?.file === archive) return { ...manifest, archive: manifest.archive };
    throw new HoldfastError('Damaged', `${archive}.json is the manifest of another archive.`, archive);
  }

  async function readAmong(archive: string, there: ReadonlySet<string>): Promise<RecoveryPoint | null> {
    if (!there.has(archive)) return null;
    if (!there.has(`${archive}.json`)) return foreign.read(archive);
    const manifest = await manifestOf(archive);
    const besides = await readBesides(manifest.id, (name) =>
      there.has(`${archive}.${name}`) ? join(path, `${archive}.${name}`) : null,
    );
    return { ...recoveryPoint(repository, archive, manifest, besides), totalSize: manifest.totalSize };
  }

  async function read({ location }: Pick<PointReference, 'location'>): Promise<RecoveryPoint | null> {
    return readAmong(checkedLocation(location), await present());
  }

  /** A file of somebody else, not of the pattern, that has a JSON file beside it as an archive has: `notes`, `notes.json`. */
  async function isStranger(location: string): Promise<boolean> {
    if (foreign.matches(location)) return false;
    const beside = await readFile(join(path, `${location}.json`), 'utf8').catch(() => OURS);
    return !beside.includes(OURS);
  }

  /** Manifests whose archive is gone, except those that a draft is placing at this moment. */
  async function orphans(there: ReadonlySet<string>): Promise<UnreadablePoint[]> {
    const alone = [...there].filter((name) => name.endsWith('.json') && !there.has(name.slice(0, -5)));
    const rows: UnreadablePoint[] = [];
    for (const name of alone.filter((other) => !BESIDES.some((end) => end !== 'json' && other.endsWith(`.${end}`)))) {
      const archive = name.slice(0, -5);
      const manifest = await manifestOf(archive).catch(() => null); // any other JSON is none of ours
      if (manifest !== null)
        rows.push({ location: archive, service: manifest.service, problem: 'its archive is missing' });
    }
    if (rows.length === 0) return rows;
    const writing = (await locks.survey()).some(
      ({ lock }) => lock.content?.leftover !== undefined && lock.content?.leftover !== null,
    );
    return writing ? [] : rows;
  }

  async function list({ service, known = new Set() }: ListQuery, signal: AbortSignal): Promise<Listing> {
    const there = await present();
    const locations = new Set([...there].filter((name) => there.has(`${name}.json`) || foreign.matches(name)));
    const unreadable = await orphans(there);
    const all = await forEachOf([...locations], signal, async (location) => {
      if (known.has(location)) return null;
      try {
        const point = await readAmong(location, there);
        if (point === null) locations.delete(location); // removed since the folder was read
        return point;
      } catch (error) {
        if (await isStranger(location)) locations.delete(location);
        else unreadable.push({ location, service: foreign.service, problem: messageOf(error) });
        return null;
      }
    });
    const points = all.filter((point) => point !== null);
    const wanted = (row: { readonly service: string }) => service === undefined || row.service === service;
    for (const { location } of points.filter((point) => !wanted(point))) locations.delete(location);
    return { locations, points: points.filter(wanted).toSorted(newestFirst), unreadable: unreadable.filter(wanted) };
  }

  const own = async (service: string): Promise<readonly RecoveryPoint[]> =>
    (await list({ service }, new AbortController().signal)).points.filter(({ foreign }) => !foreign);

  /** Takes away what stands beside an archive that is gone, unless another point has its name by now. */
  async function removeBesides(archive: string, id: string): Promise<void> {
    const there = await present();
    if (there.has(archive)) return;
    if (there.has(`${archive}.json`) && (await manifestOf(archive).catch(() => null))?.id !== id) return;
    const left = BESIDES.filter((beside) => there.has(`${archive}.${beside}`));
    // the manifest last: as long as it is there, it is known whose the others are
    for (const beside of left.toReversed()) await removeDurably(join(path, `${archive}.${beside}`));
  }

  return {
    reuse: false,
    gathers: true,
    draftFolder: (_service, token) => `.draft-${token}`,
    openDraft: async (header, folder) => {
      const { singleDraft } = await import('./single-draft.ts');
      return singleDraft(header, join(path, folder), names, settings, tools, locks, async (name) => {
        const there = await present();
        return there.has(name) || BESIDES.some((beside) => there.has(`${name}.${beside}`));
      });
    },
    list,
    read,
    newest: async (service) => (await own(service))[0] ?? null,
    twin: async ({ id, service }) => (await own(service)).find((point) => point.id === id) ?? null,
    reader: async (point, item, signal) => {
      const archive = join(path, checkedLocation(point.location));
      if (point.manifest === null) return foreign.open(point.location, item, signal);
      const row = point.manifest.items.find(({ name }) => name === item);
      if (row === undefined || row.outcome === 'failed') {
        const why = row?.error
          ? `The item ${item} failed: ${row.error}`
          : `There is no item ${item} in ${point.location}.`;
        throw new HoldfastError('ItemNotFound', why, item);
      }
      const whole = { ...row, sha256: null, roots: row.roots ?? [] };
      const { itemReader } = await import('./single-item.ts');
      return itemReader(await openItem(archive, whole, sealing, tools, signal), row, point.location);
    },
    rest: ({ location, manifest }) => {
      const { archive } = manifest ?? {};
      return archive === undefined ? [] : [{ ...archive, path: join(path, checkedLocation(location)) }];
    },
    beside: (location, name) => join(path, `${checkedLocation(location)}.${name}`),
    removal: ({ id, location }, token) => ({ kind: 'removal', folder: `.removed-${token}`, location, id }),
    remove: async ({ location, id }) => {
      await removeDurably(join(path, checkedLocation(location))); // from here on nobody sees it
      await removeBesides(location, id);
    },
    finish: async (leftover) => {
      await using _names = await locks.acquire({ kind: 'names' }, 'exclusive', 60_000, new AbortController().signal);
      if (leftover.kind === 'removal') return removeBesides(leftover.location, leftover.id);
      const { takeBack } = await import('./single-draft.ts');
      await takeBack(path, join(path, leftover.folder));
      await removeDurably(join(path, leftover.folder));
    },
    check: async (signal) => {
      const listing = await list({}, signal);
      const problems: Problem[] = listing.unreadable.map(({ location, problem }) => ({
        subject: location,
        detail: problem,
      }));
      for (const { location, manifest } of listing.points) {
        const status = await lstat(join(path, location));
        const size = manifest?.archive?.size ?? status.size;
        if (status.size !== size)
          problems.push({ subject: location, detail: `has ${status.size} bytes, ${size} were stored` });
        if (manifest !== null && status.mode & 0o077) problems.push({ subject: location, detail: 'is open to others' });
      }
      return problems;
    },
  };
}

/** @throws PointNotFound for what cannot be an archive's name: it never leaves the repository's folder */
function checkedLocation(location: string): string {
  if (location !== '' && !location.startsWith('.') && !location.includes('/')) return location;
  throw new HoldfastError('PointNotFound', `${JSON.stringify(location)} is no archive's name.`, location);
}
