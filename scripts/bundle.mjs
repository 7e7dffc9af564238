// How everything is bundled that runs on Node: `bundle` is esbuild with what all bundles have in common.
import { join } from 'node:path';
import { build } from 'esbuild';

export function bundle(options) {
  return build({
    absWorkingDir: join(import.meta.dirname, '..'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    // CommonJS packages in the bundle call require(), which an ES module does not have.
    banner: {
      js: [
        `import { createRequire as bannerCreateRequire } from 'node:module';`,
        `const require = bannerCreateRequire(import.meta.url);`,
      ].join('\n'),
    },
    logLevel: 'warning',
    ...options,
  });
}

/**
 * Only servers that get certificates by themselves need it, and it is as large as all the rest: a file of its own, so that
 * nobody else reads it.
 */
const ACME = 'acme-client';

/** For bundles beside which the one of `bundleAcme` lies. */
export const apart = {
  name: 'apart',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${ACME}$`) }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: `./${ACME}.mjs`, external: true } : undefined,
    );
  },
};

export function bundleAcme(options) {
  return bundle({
    stdin: {
      contents: `export { default } from '${ACME}';`,
      resolveDir: join(import.meta.dirname, '../packages/server'),
    },
    sourcemap: false,
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
    metafile: true,
    ...options,
  });
}
