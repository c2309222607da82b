(() => {
  "use strict";
  const paper = 690;  // pixels between the margins of a printed page
  const plots = [...document.querySelectorAll(".plot")];
  const ink = () => getComputedStyle(document.body).color;
  const lines = (text, most) => text.split(" ").reduce((wrapped, word) => {
    const last = wrapped[wrapped.length - 1];
    return last !== undefined && (last + " " + word).length <= most ? [...wrapped.slice(0, -1), last + " " + word] : [...wrapped, word];
  }, []).join("<br>");
  const broken = (place, layout) => {  // wrap the titles of horizontal axes, which plotly would cut off in a narrow figure
    for (const [name, axis] of Object.entries(layout)) {
      if (!name.startsWith("xaxis") || !axis.title?.text) continue;
      const [from, to] = axis.domain ?? [0, 1];
      axis.title.text = lines(axis.title.text, Math.max(12, Math.floor((place.clientWidth - 150) * (to - from) / 7)));
    }
  };
  for (const place of plots) {
    const figure = JSON.parse(document.getElementById("data-" + place.id).textContent);
    figure.layout.font = { ...figure.layout.font, color: ink() };
    broken(place, figure.layout);
    Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: "hover" });
  }
  const paint = (changes) => plots.forEach((place) => Plotly.relayout(place, { "font.color": ink(), ...changes }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint({}));
  matchMedia("print").addEventListener("change", (now) => paint(now.matches ? { width: paper, "font.color": "#000" } : { width: null, autosize: true }));

  const pick = document.getElementById("pick");
  const choose = (number) => {
    const wanted = document.getElementById("trial-" + number);
    if (!wanted) return;
    for (const model of document.querySelectorAll(".model")) model.hidden = model !== wanted;
    if (pick) pick.value = String(number);
  };
  if (pick) {
    pick.addEventListener("change", () => choose(pick.value));
    choose(pick.value);
  }
  const front = document.getElementById("front-plot");
  if (front) front.on("plotly_click", (event) => {
    const number = event.points.map((point) => point.customdata).find((known) => known !== undefined);
    if (number !== undefined) choose(number);
  });
})();
