import type { PointSummary } from '../domain/recovery-point.ts';
import type { Face } from './face.ts';
import { pointAsJson } from './render/point.ts';
import { printable } from './render/table.ts';

/** What a verb would be done with. */
interface Planned {
  readonly points: readonly PointSummary[];
  /** What could not be looked at; left out where a verb has no such. */
  readonly warnings?: readonly { readonly subject: string; readonly text: string }[];
}

/** Prints a line for each point, `Would hold ID  SERVICE in REPOSITORY`, or that there is none.
 *  @param more further fields of the JSON document */
export function tellPlanned(verb: string, { points, warnings }: Planned, face: Face, more: object = {}): void {
  for (const { subject, text } of warnings ?? []) face.note(`warning: ${printable(subject)}: ${printable(text)}`);
  const lines = points.map(
    ({ id, service, repository }) => `Would ${verb} ${id}  ${printable(service)} in ${printable(repository)}`,
  );
  face.print(lines.length === 0 ? `Nothing to ${verb}.` : lines.join('\n'));
  const said = warnings === undefined ? {} : { warnings };
  face.printJson({ dryRun: true, points: points.map(pointAsJson), ...more, ...said });
}
