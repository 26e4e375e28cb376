"""From recordings to a trained network: windows, class weights, fit, checkpoint."""
