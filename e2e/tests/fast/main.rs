//! What needs no control plane: the simulator, guarded processes, the chart as helm renders it, scripts for Argo CD.

mod argocd;
mod chart;
mod process;
mod simulator;
