// Runs one bench, the module that the macro LAYER names, to its end.
module run;
    reg clk = 0;
    wire done;
    wire [31:0] errors;

    always #1 clk = !clk;
    `LAYER bench (.clk(clk), .done(done), .errors(errors));
    always @(posedge clk)
        if (done) begin
            if (errors == 0) $display("PASS");
            else $display("FAIL: %0d outputs differ", errors);
            $finish;
        end
endmodule
