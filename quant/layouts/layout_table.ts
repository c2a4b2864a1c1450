/**
 * The table of layouts. To add one, write a file with its rules and add a line here (and its decoding in `decode.ts`
 * and in WGSL).
 *
 * @module
 */
import { type CodebookLayout, codebookRules } from "./codebook_layout.ts";
import { type ColumnLayout, columnRules } from "./column_layout.ts";
import { type DenseLayout, denseRules } from "./dense_layout.ts";
import type { LayoutRules } from "./layout_rules.ts";
import { type ScalarLayout, scalarRules } from "./scalar_layout.ts";
import { type SuperLayout, superRules } from "./super_layout.ts";

/** One of the layouts that kernels can read. */
export type Layout = DenseLayout | ScalarLayout | CodebookLayout | SuperLayout | ColumnLayout;

const RULES: { readonly [K in Layout["kind"]]: LayoutRules<Extract<Layout, { kind: K }>> } = {
  dense: denseRules,
  scalar: scalarRules,
  codebook: codebookRules,
  super: superRules,
  column: columnRules,
};

/** The rules of a layout. */
export function rulesOf(layout: Layout): LayoutRules<Layout> {
  return RULES[layout.kind] as LayoutRules<Layout>;
}
