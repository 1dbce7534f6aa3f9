import { type Diagnostic, printDiagnostic } from '../../src/config/diagnostic.ts';
import { type Checked, checkTexts, type Loaded } from '../../src/config/load.ts';

/** Checks one text as if it stood in /etc/holdfast/holdfast.yaml; `fragments` as files of conf.d. */
export function check(text: string, fragments: Readonly<Record<string, string>> = {}): Checked {
  const others = Object.entries(fragments).map(([name, part]) => ({
    file: `/etc/holdfast/conf.d/${name}`,
    text: part,
  }));
  return checkTexts([{ file: '/etc/holdfast/holdfast.yaml', text }, ...others]);
}

/** The errors as a person sees them, the folder left out. */
export const errorsOf = ({ diagnostics }: Checked): string[] =>
  diagnostics.filter(({ severity }) => severity === 'error').map(printed);

export const printed = (diagnostic: Diagnostic): string =>
  printDiagnostic(diagnostic).replaceAll('/etc/holdfast/', '').replace('holdfast.yaml:', '');

/** The configuration of a text that has to pass. */
export function loaded(text: string, fragments: Readonly<Record<string, string>> = {}): Loaded {
  const checked = check(text, fragments);
  if (checked.loaded === null) throw new Error(errorsOf(checked).join('\n'));
  return checked.loaded;
}
