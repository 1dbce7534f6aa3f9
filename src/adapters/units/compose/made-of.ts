import { resolve } from 'node:path';
import { PROJECT_LABEL, projectFilesIn, projectFolderIn } from '../../../domain/compose-labels.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { type Container, runs } from '../engine/parse.ts';

/** What Compose says of a project on its containers. */
export interface Made {
  readonly project: string;
  /** Absolute; some may be gone. Null where its containers were made of different ones. */
  readonly files: readonly string[] | null;
}

const projectOf = ({ Config }: Container): string => Config.Labels?.[PROJECT_LABEL] ?? '';

function filesOf({ Config }: Container): readonly string[] {
  const labels = Config.Labels ?? {};
  return projectFilesIn(labels, projectFolderIn(labels) ?? '/').map((file) => resolve(file));
}

/** @param containers of one project; null when there are none */
export function madeOf(containers: readonly Container[]): Made | null {
  const [first] = containers;
  if (first === undefined) return null;
  const files = filesOf(first);
  const same = containers.every((container) => `${filesOf(container)}` === `${files}`);
  return { project: projectOf(first), files: same ? files : null };
}

/** Of all containers of Compose those of the project that was made of a file: under another name than the file's folder
 *  has (`--project-name`). Of several projects the one that runs; none where none of these does.
 *  @param name of the unit
 *  @throws UnitFailed when several run */
export function ofFile(name: string, file: string, containers: readonly Container[]): readonly Container[] {
  const own = containers.filter((container) => filesOf(container).includes(file));
  const projects = [...new Set(own.map(projectOf))];
  const running = [...new Set(own.filter(runs).map(projectOf))];
  const [chosen, ...others] = projects.length === 1 ? projects : running;
  if (others.length === 0) return own.filter((container) => projectOf(container) === chosen);
  const words = `Several projects of ${name} run: ${running.join(', ')}.`;
  throw new HoldfastError('UnitFailed', words, name, {
    hint: 'Say which is meant: `name:` in the file, or COMPOSE_PROJECT_NAME in .env beside it',
  });
}
