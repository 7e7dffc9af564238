import type { EnvironmentFindings } from '../settings/environment.ts';
import { type Output, say, warn } from '../output/output.ts';

/** Reports which variables are ignored and which override the configuration file. */
export function tellEnvironment(findings: readonly EnvironmentFindings[], output: Output): void {
  for (const { source, text } of findings.flatMap(({ ignored }) => ignored)) {
    warn(
      output,
      `${source}=${text} is ignored: Kubernetes sets that for a service of this name`,
      'give the port as a number; with enableServiceLinks: false a pod gets no such variables',
    );
  }
  for (const line of overrideLines(findings)) say(output, line);
}

/** One line for each variable that overrides the configuration file. Sensitive values are left out. */
export function overrideLines(findings: readonly EnvironmentFindings[]): readonly string[] {
  const placesOf = new Map<string, Set<string>>();
  for (const { flag, variable, inFile } of findings.flatMap(({ overrides }) => overrides)) {
    const value = flag.isSensitive === true ? 'is set' : `is ${variable.text}`;
    const subject = `${variable.source} ${value}, which goes before the file`;
    placesOf.set(subject, (placesOf.get(subject) ?? new Set()).add(inFile.source));
  }
  return [...placesOf].map(([subject, places]) => `${subject}: ${[...places].join(', ')}`);
}
