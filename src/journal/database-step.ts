import { HoldfastError } from '../domain/errors.ts';
import type { Databases } from '../ports/source.ts';

/** Which server, by the source that the configuration has. */
export interface ServerReference {
  readonly service: string;
  readonly source: string;
}

/** A database of our own was made, to be filled: taken back, it is dropped. */
export interface DatabaseMade extends ServerReference {
  readonly kind: 'database-made';
  /** None has this name before the step. */
  readonly database: string;
  /** On the server where drills of the source make theirs. */
  readonly drill?: true;
}

/** A database got another's name, which became `kept`. */
export interface DatabaseSwapped extends ServerReference {
  readonly kind: 'database-swapped';
  readonly database: string;
  readonly staged: string;
  /** None has this name before the step. */
  readonly kept: string;
  /** As `Databases.copies`. */
  readonly copies?: true;
}

export type DatabaseStep = DatabaseMade | DatabaseSwapped;
export type StepDatabases = Pick<Databases, 'exists' | 'drop' | 'swapBack'>;

/** @throws TargetExists */
export async function confirmNewDatabase(
  step: DatabaseStep,
  databases: StepDatabases,
  signal: AbortSignal,
): Promise<void> {
  const name = step.kind === 'database-made' ? step.database : step.kept;
  if (!(await databases.exists(name, signal))) return;
  throw new HoldfastError('TargetExists', `The server has a database ${name} already.`, name, {
    hint: 'Choose a name that is free, or restore it in place: --in-place',
  });
}

export const undoDatabaseStep = (step: DatabaseStep, databases: StepDatabases, signal: AbortSignal): Promise<void> =>
  step.kind === 'database-made'
    ? databases.drop(step.database, signal)
    : databases.swapBack(step.database, step.staged, step.kept, signal);
