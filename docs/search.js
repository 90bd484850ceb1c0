// Rank what a search finds: pages, functions and classes stand before the fields of records, which are many.
var Scorer = {
  score: ([docname, title, anchor, description, score]) =>
    /^Python (attribute|property|method)/.test(description || "") ? score - 12 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
