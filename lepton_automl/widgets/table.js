// A table of texts. Every text is set as `textContent`, so that nothing in a study can become markup.
function make(tag, text, more) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  return Object.assign(element, more);
}

function head(model, name, title, number) {
  const { by, down } = model.get("sort");
  const cell = make("th", undefined, { scope: "col", className: number ? "l-number" : "" });
  if (name === by) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
  const mark = name === by ? (down ? " ▼" : " ▲") : "";
  cell.append(make("button", title + mark, { type: "button", onclick: () => model.send({ sort: name }) }));
  return cell;
}

function row(model, at) {
  const trial = model.get("trials")[at], numbers = model.get("numbers"), mark = model.get("marks")[at];
  const choose = () => model.send({ choose: trial });
  const element = make("tr", undefined, { tabIndex: 0, onclick: choose, className: mark ? "l-front" : "" });
  element.onkeydown = (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), choose());
  element.setAttribute("aria-selected", String(trial === model.get("chosen")));
  element.append(make("td", mark));
  model.get("rows")[at].forEach((text, column) =>
    element.append(make("td", text, { dir: "auto", title: text, className: numbers[column] ? "l-number" : "" })));
  return element;
}

function download({ csv, name }) {
  const link = make("a", undefined, { href: URL.createObjectURL(new Blob([csv], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function render({ model, el }) {
  const box = make("div", undefined, { className: "l-table" });
  const foot = make("div", undefined, { className: "l-foot" });
  el.append(make("style", STYLE), box, foot);
  const draw = () => {
    const keep = [box.scrollLeft, box.scrollTop];
    const at = [...box.querySelectorAll("button,tr[tabindex]")].indexOf(document.activeElement);
    const top = make("tr"), names = model.get("names"), numbers = model.get("numbers");
    top.append(make("th"), ...model.get("heads").map((title, column) => head(model, names[column], title, numbers[column])));
    const table = make("table"), start = make("thead"), body = make("tbody");
    start.append(top);
    body.append(...model.get("rows").map((_, number) => row(model, number)));
    table.append(start, body);
    box.replaceChildren(table);
    const turn = (text, by, tip) => make("button", text, { type: "button", title: tip, onclick: () => model.send({ turn: by }) });
    foot.replaceChildren(turn("‹", -1, "previous page"), make("span", " " + model.get("caption") + " "), turn("›", 1, "next page"));
    [box.scrollLeft, box.scrollTop] = keep;
    if (at >= 0) box.querySelectorAll("button,tr[tabindex]")[at]?.focus();
  };
  const changes = "change:rows change:heads change:sort change:caption change:chosen change:marks";
  model.on(changes, draw);
  model.on("msg:custom", download);
  draw();
  return () => { model.off(changes, draw); model.off("msg:custom", download); };
}

const STYLE = `
.l-table{overflow:auto;max-height:420px;font-size:12px}
.l-table table{border-collapse:collapse;white-space:nowrap}
.l-table th{position:sticky;top:0;background:var(--l-back);text-align:left;padding:0 8px 3px 0}
.l-table th button{all:unset;cursor:pointer;font-weight:600;color:var(--l-text)}
.l-table td{padding:1px 12px 1px 0;max-width:260px;overflow:hidden;text-overflow:ellipsis;font-variant-numeric:tabular-nums}
.l-table td.l-number,.l-table th.l-number{text-align:right}
.l-table th:first-child,.l-table td:first-child{padding-right:5px;color:#0072B2}
.l-table th:nth-child(2),.l-table td:nth-child(2){position:sticky;left:0;z-index:1;background:var(--l-back)}
.l-table tr.l-front td{font-weight:600}
.l-table tbody tr{cursor:pointer}
.l-table tbody tr:hover{background:var(--l-soft)}
.l-table tr[aria-selected="true"] td{box-shadow:inset 0 2px #D55E00,inset 0 -2px #D55E00}
.l-table button:focus-visible,.l-foot button:focus-visible{outline:2px solid #0072B2}
.l-foot{padding:4px 0;font-size:12px}
.l-foot button{border:1px solid var(--l-line);background:var(--l-soft);color:var(--l-text);border-radius:3px;padding:0 8px;cursor:pointer}
`;

export default { render };
