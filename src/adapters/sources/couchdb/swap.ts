import { HoldfastError } from '../../../domain/errors.ts';
import { inUse } from '../server/kept.ts';
import type { Client } from './client.ts';
import { duplicate } from './duplicate.ts';
import { ADMINS_ALONE, close, dropDatabase, isClosed, makeDatabase, secure, securityOf } from './make.ts';
import { type Coming, type Mark, markIn, removeMark, writeMark } from './marks.ts';
import { replicationsWith } from './replications.ts';
import { type Shape, shapeOf } from './server.ts';
import { isEmpty, isThere, type MarkOf, type Names, type Standing, standingOf } from './standing.ts';

/** Fills `database` anew from `staged`, which is gone afterwards, and keeps its state of before as `kept`. CouchDB gives no
 *  database another name, so all is copied, and nothing deleted before every byte of its copy was read back. The name is
 *  closed to all but admins of the server until it is whole. Repeated, it goes on where it was left.
 *  @throws Refused when neither name is as it was before nor as it is afterwards, or somebody writes meanwhile; Damaged */
export async function takePlace(names: Names, client: Client): Promise<void> {
  const { database, staged, kept } = names;
  const standing = await standingOf(names, client);
  if (!(await isThere(staged, client))) {
    if (standing.role === 'coming' && standing.whole) return; // done before
    throw new HoldfastError('Refused', `The restored database ${staged} is gone.`, staged);
  }
  const coming = await noteComing(names, standing, client);
  if (standing.role === 'returning' || (standing.role === 'untouched' && !coming.replaces))
    throw new HoldfastError('Refused', `Somebody made ${database} meanwhile, or it is taken back.`, database);
  if (standing.role === 'untouched' || standing.role === 'present') await keep(names, standing, client);
  if (standing.role !== 'coming' || !standing.whole) {
    const model = await markIn(kept, client);
    const own = await shapeOf(staged, client);
    const shape = model?.role === 'kept' ? { ...model.shape, partitioned: own.partitioned } : own;
    await remake(database, staged, shape, { role: 'coming', staged, whole: false, ...coming }, client);
  }
  await secure(database, coming.security, client);
  await dropDatabase(staged, client);
}

/** Notes before anything is done what was there, and who may read what comes. */
async function noteComing({ database, staged, kept }: Names, standing: Standing, client: Client): Promise<Coming> {
  const mark = await markIn(staged, client);
  if (mark?.role === 'staged' && mark.into === database && mark.kept === kept) return comingOf(mark);
  const aside = mark?.role === 'kept' ? mark : null;
  const closed = aside !== null && (await isClosed(staged, client));
  const security = closed ? aside.security : await securityOf(staged, client);
  const coming = { into: database, kept, replaces: standing.role !== 'gone', security, aside };
  await writeMark(staged, { role: 'staged', ...coming }, client);
  return coming;
}

const comingOf = ({ into, kept, replaces, security, aside }: Coming): Coming => ({
  into,
  kept,
  replaces,
  security,
  aside,
});

/** Copies what is there, which nobody but admins reads or writes from here on. */
async function keep({ database, staged, kept }: Names, standing: Standing, client: Client): Promise<void> {
  const security = standing.role === 'present' ? standing.security : await securityOf(database, client);
  await writeMark(database, { role: 'present', staged, security }, client);
  await close(database, client);
  await dropUnfinished(kept, 'kept', staged, client);
  const shape = await shapeOf(database, client);
  const mark = { role: 'kept', of: database, staged, whole: false, security, shape } as const;
  await copy(database, kept, shape, mark, client);
  await writeMark(kept, { ...mark, whole: true }, client);
}

async function copy(from: string, to: string, shape: Shape, mark: Mark, client: Client): Promise<void> {
  const make = async (): Promise<void> => {
    await makeDatabase(to, shape, ADMINS_ALONE, client);
    await writeMark(to, mark, client);
  };
  await duplicate(from, to, make, client);
}

/** Removes a copy that did not become whole, while what it is a copy of is there; none is no error.
 *  @throws Refused for one that is not of this exchange */
async function dropUnfinished(
  database: string,
  role: 'kept' | 'leaving',
  staged: string,
  client: Client,
): Promise<void> {
  if (!(await isThere(database, client))) return;
  const mark = await markIn(database, client);
  const ours = mark === null ? await isEmpty(database, client) : mark.role === role && mark.staged === staged;
  if (!ours) throw new HoldfastError('Refused', `A database ${database} is there already.`, database);
  await dropDatabase(database, client);
}

/** Removes what an exchange noted its step in, or what is empty. @throws Refused for what somebody made meanwhile */
async function dropOurs(database: string, client: Client): Promise<void> {
  if ((await markIn(database, client)) === null && !(await isEmpty(database, client)))
    throw new HoldfastError('Refused', `Somebody made ${database} meanwhile.`, database);
  await dropDatabase(database, client);
}

/** Deletes what is under a name, and fills it with what is in another. */
async function remake(
  database: string,
  from: string,
  shape: Shape,
  mark: MarkOf<'coming' | 'returning'>,
  client: Client,
): Promise<void> {
  await dropOurs(database, client);
  await copy(from, database, shape, mark, client);
  await writeMark(database, { ...mark, whole: true }, client);
}

/** Takes {@link takePlace} back, as much of it as was done. Repeated, it goes on where it was left. */
export async function takeBack(names: Names, client: Client): Promise<void> {
  const { database, staged, kept } = names;
  const standing = await standingOf(names, client);
  const aside = await markIn(kept, client);
  if (standing.role === 'present') {
    await dropUnfinished(kept, 'kept', staged, client);
    await secure(database, standing.security, client);
    await removeMark(database, client);
  } else if (standing.role === 'returning' && standing.whole) await finishReturn(names, standing.security, client);
  else if (standing.role !== 'untouched') {
    if (standing.role === 'coming' && standing.whole) await refill(standing, database, client);
    if (aside?.role === 'kept' && aside.whole && aside.staged === staged) {
      const mark = { role: 'returning', staged, whole: false, security: aside.security } as const;
      await remake(database, kept, aside.shape, mark, client);
      await finishReturn(names, aside.security, client);
    } else if (await isLost(standing, names, client)) throw lost(names);
    else if (standing.role === 'coming' && standing.replaces) await secure(database, standing.security, client);
    else await dropOurs(database, client); // nothing was there before
  }
  const left = await markIn(staged, client);
  if (left?.role !== 'staged') return;
  if (left.aside === null) await removeMark(staged, client);
  else await writeMark(staged, left.aside, client);
}

/** Whether what was there before, or the copy of it, is to be taken back and was deleted by somebody. What has the place
 *  may be whole. */
async function isLost(standing: Standing, { staged }: Names, client: Client): Promise<boolean> {
  if (standing.role === 'coming') return standing.replaces && !standing.whole;
  const next = await markIn(staged, client);
  return standing.role === 'returning' || (next?.role === 'staged' && next.replaces);
}

const lost = ({ database, staged, kept }: Names): HoldfastError =>
  new HoldfastError(
    'Refused',
    `Neither ${database} nor ${kept}, which keeps its state, is whole: somebody deleted one of them.`,
    kept,
    {
      hint: `Delete ${database} and ${staged}, then: holdfast unlock. Then restore ${database} from a point`,
    },
  );

async function finishReturn({ database, kept }: Names, security: object, client: Client): Promise<void> {
  await secure(database, security, client);
  await dropDatabase(kept, client);
  await removeMark(database, client);
}

/** What has the place goes back to where it came from, unless it is there yet. */
async function refill(mark: MarkOf<'coming'>, database: string, client: Client): Promise<void> {
  const { staged, security, aside } = mark;
  if ((await markIn(staged, client))?.role === 'staged') return;
  await dropUnfinished(staged, 'leaving', staged, client);
  await close(database, client);
  await copy(database, staged, await shapeOf(database, client), { role: 'leaving', staged }, client);
  if (aside === null) await secure(staged, security, client);
  await writeMark(staged, { role: 'staged', ...comingOf(mark) }, client);
}

/** Drops a database that an exchange had set aside. One that none did is somebody else's, whatever it is called.
 *  @throws Refused; TargetBusy for one that somebody opened again, or replicates with */
export async function discard(kept: string, client: Client): Promise<void> {
  if (!(await isThere(kept, client))) return;
  const mark = await markIn(kept, client);
  if (mark?.role !== 'kept')
    throw new HoldfastError('Refused', `The database ${kept} was not set aside by a restore.`, kept, {
      hint: 'Delete it by hand when it is of no use',
    });
  if (!(await isClosed(kept, client)) || (await replicationsWith(kept, client)).length > 0) throw inUse(kept);
  await dropDatabase(kept, client);
  const now = await markIn(mark.of, client);
  if (now?.role === 'coming' && now.staged === mark.staged) await removeMark(mark.of, client);
}
