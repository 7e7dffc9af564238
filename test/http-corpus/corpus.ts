import { chunkCases } from './cases/chunk-cases.ts';
import { connectionCases } from './cases/connection-cases.ts';
import { fieldCases } from './cases/field-cases.ts';
import { hostCases } from './cases/host-cases.ts';
import { lengthCases } from './cases/length-cases.ts';
import { requestLineCases } from './cases/request-line-cases.ts';
import { upgradeCases } from './cases/upgrade-cases.ts';
import type { CorpusCase } from './corpus-case.ts';

/** All cases. Their names are their keys in the list of outcomes. */
export const corpus: readonly CorpusCase[] = [
  ...hostCases,
  ...requestLineCases,
  ...fieldCases,
  ...lengthCases,
  ...chunkCases,
  ...upgradeCases,
  ...connectionCases,
];
