"""The style of the widgets: the colours of the notebook's own theme, light or dark, and marks for colour-blind readers."""

from __future__ import annotations

# By Okabe and Ito (Color Universal Design, 2008). A shape or a word always repeats what the colour means.
COLOURS = {
    "complete": "#0072B2",
    "running": "#009E73",
    "stopped": "#E69F00",
    "infeasible": "#999999",
    "failed": "#D55E00",
}
MARKS = {"complete": "●", "running": "▶", "stopped": "✕", "infeasible": "│", "failed": "▲"}
SHAPES = {"complete": "disc", "running": "play", "stopped": "cross", "infeasible": "tick", "failed": "triangle"}
ACCENT = "#D55E00"
GREY = "#808080"  # readable on white and on black
FAINT = "rgba(128,128,128,.25)"

# `!important` where the theme of the page has to override a figure's own style attribute.
CSS = """
.lepton{--l-text:var(--jp-ui-font-color1,var(--vscode-foreground,inherit));
  --l-dim:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#767676));
  --l-line:var(--jp-border-color2,var(--vscode-panel-border,#bdbdbd));
  --l-back:var(--jp-layout-color1,var(--vscode-editor-background,transparent));
  --l-soft:var(--jp-layout-color2,var(--vscode-editorWidget-background,rgba(128,128,128,.1)));
  color:var(--l-text);font:13px/1.4 var(--jp-ui-font-family,system-ui,sans-serif);container-type:inline-size}
.lepton .widget-html,.lepton .widget-html-content,.lepton .jupyter-widgets.widget-html-content{font-size:13px;line-height:1.4;
  color:var(--l-text);height:auto;min-width:0}
.lepton h4{margin:10px 0 4px;font-size:13px;font-weight:600}
.lepton .l-dim{color:var(--l-dim)}
.lepton .l-head{display:flex;gap:12px;align-items:baseline;flex-wrap:wrap}
.lepton .l-name{font-size:17px;font-weight:600;overflow-wrap:anywhere}
.lepton .l-badge{border:1px solid currentColor;border-radius:10px;padding:0 9px;font-size:12px;font-weight:600}
.lepton .l-facts{display:flex;gap:2px 26px;flex-wrap:wrap}
.lepton .l-facts>div{display:flex;gap:6px;align-items:baseline}
.lepton .l-facts b{font-size:14px;font-variant-numeric:tabular-nums}
.lepton .l-facts span{color:var(--l-dim);font-size:12px}
.lepton .l-bar{height:8px;border-radius:4px;background:var(--l-soft);border:1px solid var(--l-line);overflow:hidden;margin:4px 0;
  display:flex}
.lepton .l-bar i{display:block;height:100%}
.lepton .l-log{max-height:430px;overflow:auto;font-size:12px}
.lepton .l-log td{padding:1px 10px 1px 0;vertical-align:top;text-align:left;overflow-wrap:anywhere}
.lepton .l-log td:first-child{color:var(--l-dim);white-space:nowrap;font-variant-numeric:tabular-nums}
.lepton table.l-plain{border-collapse:collapse;font-size:12px}
.lepton table.l-plain td,.lepton table.l-plain th{padding:1px 12px 1px 0;text-align:left;overflow-wrap:anywhere}
.lepton table.l-columns td{padding-right:9px}
.lepton table.l-columns td:nth-child(2){white-space:nowrap}
.lepton table.l-plain th{color:var(--l-dim);font-weight:400}
.lepton code{font:12px var(--jp-code-font-family,monospace);background:var(--l-soft);padding:1px 5px;overflow-wrap:anywhere;
  user-select:all}
.lepton .l-warn{color:#D55E00;font-weight:600}
.lepton table.l-matrix{border-collapse:collapse;font-size:11px;font-variant-numeric:tabular-nums}
.lepton table.l-matrix td,.lepton table.l-matrix th{padding:1px 5px;text-align:right;font-weight:400}
.lepton table.l-matrix th{color:var(--l-dim)}
.lepton table.l-matrix caption{font-size:11px;color:var(--l-dim);text-align:left}
.lepton .l-examples{display:flex;flex-wrap:wrap;gap:8px}
.lepton .l-examples figure{margin:0;font-size:11px;max-width:84px;overflow-wrap:anywhere}
.lepton .l-examples img{width:64px;height:64px;image-rendering:pixelated;border:1px solid var(--l-line);display:block}
.lepton .l-said{margin:0;padding-left:16px;font-size:12px}
.lepton .l-share{display:block;width:120px;height:9px;background:var(--l-soft);border:1px solid var(--l-line)}
.lepton .l-share i{display:block;height:100%;background:#0072B2}
.lepton pre.l-code{margin:0;padding:6px 9px;background:var(--l-soft);border:1px solid var(--l-line);border-radius:3px;
  font:12px/1.4 var(--jp-code-font-family,monospace);color:var(--l-text);white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
.lepton svg text{fill:var(--l-text)!important}
.lepton .js-plotly-plot .hoverlayer text{fill:#fff!important}
.lepton .js-plotly-plot .main-svg{background:transparent!important}
.lepton .l-main{display:grid;grid-template-columns:minmax(0,1.55fr) minmax(0,1fr);gap:0 14px}
@container (max-width:820px){.lepton .l-main{grid-template-columns:minmax(0,1fr)}}
.lepton .l-pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 14px}
@container (max-width:700px){.lepton .l-pair{grid-template-columns:minmax(0,1fr)}
  .lepton table.l-beside{table-layout:fixed;width:100%}.lepton table.l-plain.l-beside th{white-space:normal;overflow-wrap:break-word}}
.lepton .l-beside td{vertical-align:top;max-width:420px}
.lepton .l-beside b{font-weight:600}
.lepton .l-detail{border-left:1px solid var(--l-line);padding-left:12px;max-height:560px;overflow:auto}
.lepton .l-detail>*{flex:0 0 auto}
.lepton .l-detail button{padding:0 7px;height:26px;line-height:26px}
.lepton button:focus-visible,.lepton [tabindex]:focus-visible,.lepton input:focus-visible,.lepton select:focus-visible{
  outline:2px solid #0072B2;outline-offset:1px}
.lepton .widget-tab .lm-TabBar-tab{flex:0 1 auto!important;min-width:0!important;font-size:12px}
.lepton .widget-tab .lm-TabBar-tabLabel{overflow:visible;text-overflow:clip}
.lepton .widget-tab>.lm-TabBar{height:auto;min-height:0}
.lepton .widget-tab .lm-TabBar-content{flex-wrap:wrap;height:auto}
.lepton .widget-tab .lm-TabBar-tab{margin:0 -1px -1px 0!important}
.lepton .widget-tab-contents{padding:4px}
@container (max-width:600px){.lepton .widget-tab .lm-TabBar-tab{padding:0 7px!important;flex:0 0 auto!important}}
.lepton .l-note{border-left:3px solid var(--l-line);padding:1px 0 1px 9px;margin:6px 0;overflow-wrap:anywhere}
.lepton .l-splits td:nth-child(-n+3){white-space:nowrap}
.lepton table.l-plain th{white-space:nowrap;max-width:240px;overflow:hidden;text-overflow:ellipsis}
.lepton .l-splits td:nth-child(2),.lepton .l-splits td:nth-child(3){text-align:right;font-variant-numeric:tabular-nums}
.lepton .l-controls{flex-flow:row wrap;gap:2px 14px;align-items:center}
.lepton .l-controls>.jupyter-widgets{margin:0;align-items:center}
.lepton [role="status"]{overflow-wrap:anywhere}
.lepton .l-done{border:1px solid #009E73;border-left-width:4px;border-radius:4px;padding:6px 12px 8px;margin:4px 0 8px}
.lepton .l-done .l-name{font-size:15px}
.lepton .l-done button{padding:0 9px}
.lepton .l-done pre.l-code{max-height:360px;overflow:auto}
.lepton .l-cards{display:flex;flex-wrap:wrap;gap:6px 28px;margin:8px 0}
.lepton .l-cards>div{display:flex;flex-direction:column}
.lepton .l-cards b{font-size:18px;font-variant-numeric:tabular-nums}
.lepton .l-cards span{color:var(--l-dim);font-size:12px}
"""
# While the widgets are live, the static picture after them is hidden; without a kernel, the page's message about missing widgets
# is. The first rules are for JupyterLab and Notebook 7, classic Notebook, and VS Code.
HIDING = "".join(
    f"{output}:has(.lepton-live)+{output}:has(img){{display:none}}"
    for output in (".jp-OutputArea-child", ".output_area", ".output_container")
) + (
    ".jp-OutputArea-child:has(+.jp-OutputArea-child+.jp-OutputArea-child .lepton-hiding):not(:has(.lepton-live)),"
    ".jp-OutputArea-child:has(.lepton-hiding){display:none}"
)
# A page whose kernel has ended: everything keeps its place, is dimmed, and a hint shows what to run. The red icon that ipywidgets
# adds to each widget is hidden, as it would shift the layout.
LOST = """
.lepton-live{position:relative}
.lepton-live.jupyter-widgets-disconnected::before,.lepton-live .jupyter-widgets-disconnected::before{display:none}
.lepton-live>.l-lost{display:none}
.lepton-live:is(.jupyter-widgets-disconnected,.lepton-lost)>:not(.l-lost){opacity:.5;filter:grayscale(1);pointer-events:none}
.lepton-live .lepton-live>:not(.l-lost){opacity:1!important;filter:none!important}
.lepton-live:is(.jupyter-widgets-disconnected,.lepton-lost)>.l-lost{display:block;position:absolute;z-index:5;top:56px;left:50%;
  transform:translateX(-50%);width:min(92%,620px);max-width:none;margin:0;padding:10px 14px;background:var(--l-back);
  border:1px solid #D55E00;border-radius:4px;box-shadow:0 3px 14px rgba(0,0,0,.3)}
.lepton-live .lepton-live>.l-lost{display:none!important}
.lepton .l-lost pre{margin:8px 0 0!important}
"""
