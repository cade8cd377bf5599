import { join, parse } from 'node:path';
import ts from 'typescript';

import type { SnippetFile } from './snippet-files.js';

/**
 * Type-checks the files with the compiler options of the repository.
 *
 * @returns One sentence for each error, with the page and the line.
 */
export function typeErrors(root: string, folder: string, files: readonly SnippetFile[]): string[] {
  const byPath = new Map(files.map((file) => [join(folder, file.path), file]));
  const program = ts.createProgram([...byPath.keys()], optionsOf(root));
  return [...byPath].flatMap(([path, file]) => {
    const source = program.getSourceFile(path);
    const diagnostics = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    return diagnostics.map((diagnostic) => {
      const { line } = source!.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
      return `${file.page}:${file.lines[line] ?? '?'} TS${diagnostic.code}: ${text}`;
    });
  });
}

function optionsOf(root: string): ts.CompilerOptions {
  const configPath = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(configPath, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(
    // The files are named one by one.
    { ...(config as object), include: [], files: [] },
    ts.sys,
    root,
    {},
    configPath,
  );
  return {
    ...options,
    noEmit: true,
    incremental: false,
    declaration: false,
    // The files are outside of the repository.
    rootDir: parse(root).root,
  };
}
